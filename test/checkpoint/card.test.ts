import test from 'ava';
import {modelCard, type CardSummary} from '../../ts/checkpoint/card.js';

const summary: CardSummary = {
	version: '0.1.0',
	before: {parameters: 1_000_000, bytes: 2_000_000, vocabulary: 92_416, layers: 32, ffnWidth: 13_440},
	after: {parameters: 750_000, bytes: 1_500_000, vocabulary: 13_056, layers: 28, ffnWidth: 13_184},
};

test('without a source card, the card has the tag and the numbers', t => {
	const card = modelCard(undefined, summary);
	t.true(card.startsWith('---\ntags:\n- pruned\n---\n\n<!-- flab-pruner: begin -->\n## Pruned with flab-pruner\n'));
	t.true(card.includes('| parameters | 1,000,000 | 750,000 | -25.0 % |\n'));
	t.true(card.includes('| vocabulary | 92,416 | 13,056 | -85.9 % |\n'));
	t.true(card.endsWith('<!-- flab-pruner: end -->\n'));
});

const fronts: ReadonlyArray<readonly [what: string, before: string, after: string]> = [
	['no tags', 'license: mit\n', 'license: mit\ntags:\n- pruned\n'],
	['a list of tags', 'tags:\n  - code\n  - "b"\nlicense: mit\n', 'tags:\n  - code\n  - "b"\n  - pruned\nlicense: mit\n'],
	['an unindented list of tags', 'tags:\n- code\nlicense: mit\n', 'tags:\n- code\n- pruned\nlicense: mit\n'],
	['tags in brackets', 'tags: [code, chat]\n', 'tags: [code, chat, pruned]\n'],
	['empty brackets', 'tags: []\n', 'tags: [pruned]\n'],
	['the tag already, in a list', 'tags:\n- pruned\n', 'tags:\n- pruned\n'],
	['the tag already, in brackets', 'tags: [pruned]\n', 'tags: [pruned]\n'],
	['an empty front matter', '', 'tags:\n- pruned\n'],
	['tags in a form of their own', 'tags: code\n', 'tags: code\n'],
];

for (const [what, before, after] of fronts) {
	test(`front matter with ${what} gets the tag once and keeps the rest`, t => {
		const card = modelCard(`---\n${before}---\n# Model $& $1\n\ntext\n`, summary);
		t.true(card.startsWith(`---\n${after}---\n\n<!--`), card);
		t.true(card.endsWith('-->\n\n# Model $& $1\n\ntext\n'), card);
	});
}

test('a card without front matter, with a byte-order mark and CRLF, keeps its text', t => {
	const card = modelCard('\uFEFF# Model\r\n\r\n---\r\ntext', summary);
	t.true(card.startsWith('---\ntags:\n- pruned\n---\n'));
	t.true(card.endsWith('\n# Model\n\n---\ntext\n'));
});

test('pruning a pruned model replaces the section', t => {
	const once = modelCard('---\nlicense: mit\n---\n# Model\n', summary);
	t.is(modelCard(once, summary), once);
	t.is(modelCard(once, {...summary, version: '9.9.9'}), once.replace('0.1.0', '9.9.9'));
});
