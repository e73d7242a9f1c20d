import test from 'ava';
import {blocksOf} from './blocks.js';
import {difference} from './expected.js';
import {runBlocks} from './run.js';
import {createSandbox} from './sandbox.js';
import {typeErrors} from './types.js';

const fence = '```';

test('a block has its language, its place and the notes of the comments above it', t => {
	const [block, ...others] = blocksOf(`Text\n\n<!-- needs: python3 -->\n<!-- exit: 3 -->\n${fence}sh\nls\n\nls -l\n${fence}\nMore\n`, 'a.md');
	t.deepEqual(block, {place: 'a.md:5', line: 5, language: 'sh', code: 'ls\n\nls -l\n', notes: {needs: 'python3', exit: '3'}});
	t.deepEqual(others, []);
});

const malformed: Readonly<Record<string, readonly [string, RegExp]>> = {
	'without a language': [`${fence}\nls\n${fence}\n`, /^Error: a\.md:1: expected the block's language/],
	'that never ends': [`Text\n${fence}sh\nls\n`, /^Error: a\.md:2: expected the block to end/],
	'that is only indented': ['Text\n\n    ls\n', /^Error: a\.md:3: .*got an indented one/],
	'with a comment that means nothing': [`<!-- not runn: so -->\n${fence}sh\nls\n${fence}\n`, /^Error: a\.md:2: .*got not runn/],
};

for (const [what, [markdown, message]] of Object.entries(malformed)) {
	test(`a block ${what} is refused, with its place`, t => {
		t.regex(String(t.throws(() => blocksOf(markdown, 'a.md'))), message);
	});
}

const printed = 'layers  10\nKL 0.1012 in 3.2 s\n\nwritten to out: 9 files';

for (const expected of ['layers 10\nKL 0.105 in 9 s\n\nwritten to out: 9 files\n', '...\nKL 0.1 in 3 s\n...\n', 'layers 10\n...\nwritten ... files\n']) {
	test(`${JSON.stringify(expected)} describes what was printed`, t => {
		t.is(difference(expected, printed), undefined);
	});
}

for (const [expected, missing] of [['layers 12\n...', 'layers 12'], ['layers 10\n', 'the end'], ['...\nKL 0.2 in 3 s\n...', 'KL 0.2 in 3 s'], ['layers 10\nKL 0.1 min 3 s\n...', 'KL 0.1 min 3 s'], ['...\nwritten to out: 9 folders', 'written to out: 9 folders']] as const) {
	test(`${JSON.stringify(expected)} does not describe what was printed`, t => {
		t.true(difference(expected, printed)?.startsWith(`expected ${JSON.stringify(missing)}`), difference(expected, printed));
	});
}

const failing: Readonly<Record<string, readonly [string, RegExp]>> = {
	'a command that fails': [`Text\n${fence}sh\nfalse\n${fence}\n`, /a\.md:2/],
	'a script that throws': [`${fence}js\nthrow new Error('no');\n${fence}\n`, /a\.md:1: [^]*Error: no/],
	'a command that should fail and does not': [`<!-- exit: 2 -->\n${fence}sh\ntrue\n${fence}\n`, /a\.md:2/],
	'an output that is another': [`${fence}sh\necho one\n${fence}\n\n${fence}text\ntwo\n${fence}\n`, /a\.md:5: expected "two"/],
	'an output that nothing prints': [`${fence}text\ntwo\n${fence}\n`, /a\.md:1: expected a block before/],
	'a script that is not run and has a syntax error': [`<!-- not run: for this test -->\n${fence}sh\nif true\n${fence}\n`, /a\.md:2: .*syntax error/],
	'lines that are not in the file that they are said to be of': [`<!-- part of: examples/prune.mjs -->\n${fence}js\nnonsense();\n${fence}\n`, /a\.md:2: expected lines of examples\/prune\.mjs/],
};

for (const [what, [markdown, message]] of Object.entries(failing)) {
	test.serial(`${what} fails with its place`, async t => {
		const sandbox = await createSandbox(t);
		const attempt = await t.try(async inner => runBlocks(inner, blocksOf(markdown, 'a.md'), sandbox));
		attempt.discard();
		t.false(attempt.passed);
		t.regex(attempt.errors.map(error => error.message).join('\n'), message);
	});
}

test.serial('a wrong type in a TypeScript block is told with its line', async t => {
	const {folder} = await createSandbox(t);
	const blocks = blocksOf(`Text\n${fence}ts\nimport {inspect} from 'flab-pruner';\nawait inspect({modell: './model'});\n${fence}\n`, 'a.md');
	const errors = await typeErrors(blocks, folder);
	t.is(errors.length, 1);
	t.regex(errors[0]!, /^a\.md:4: .*'modell' does not exist/);
});
