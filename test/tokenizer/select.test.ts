import test from 'ava';
import {createEncoder} from '../../ts/tokenizer/encoder.js';
import {selectVocabulary, type SelectVocabularyInput} from '../../ts/tokenizer/select.js';
import {chatTemplateTexts, templateWords} from '../../ts/tokenizer/template.js';
import {bpeJson, countsOf, filesOf, readFixture} from './support.js';

const characters = ['a', 'b', 'c', 'd', 'e', 'f'];
const tokens = [...characters, 'ab', 'cd', 'abcd', 'ef', 'xyz', 'abcdef'];
const merges = ['a b', 'c d', 'ab cd', 'e f', 'abcd ef'];
const tiny = () => filesOf(bpeJson(tokens, merges));

const select = async (counts: Record<string, number>, more: Partial<SelectVocabularyInput> = {}) => {
	const result = await selectVocabulary({
		files: tiny(), counts: Float64Array.from(tokens, token => counts[token] ?? 0), selection: {kind: 'used'}, multipleOf: 1, modelVocabulary: tokens.length, ...more,
	});
	return {...result, kept: Array.from(result.keep, id => tokens[id] ?? id)};
};

test('keeps what is used, what it passes through, and the alphabet, with the first reason that applies', async t => {
	const {kept, reasons, coverage, usedTokens, tokenizerSize} = await select({abcd: 5, a: 1});
	t.deepEqual(kept, [...characters, 'ab', 'cd', 'abcd']);
	t.deepEqual(reasons, {used: 2, special: 0, bytes: 5, chatTemplate: 0, closure: 2, fill: 0, padding: 0});
	t.is(coverage, 1);
	t.is(usedTokens, 2);
	t.is(tokenizerSize, 12);
});

const counts = {a: 10, b: 5, c: 5, ab: 3, cd: 1};
for (const [title, selection, expected] of [
	['min-count takes those at least as frequent', {kind: 'min-count', minCount: 3}, {used: 4, coverage: 23 / 24}],
	['top takes the most frequent', {kind: 'top', count: 2}, {used: 2, coverage: 20 / 24}],
	['top 0 takes none', {kind: 'top', count: 0}, {used: 0, coverage: 20 / 24}],
	['coverage takes the fewest that reach the share', {kind: 'coverage', share: 0.8}, {used: 3, coverage: 20 / 24}],
	['coverage 1 takes all that occur', {kind: 'coverage', share: 1}, {used: 5, coverage: 1}],
	['used takes all that occur', {kind: 'used'}, {used: 5, coverage: 1}],
] as const) {
	test(title, async t => {
		const {reasons, coverage} = await select(counts, {selection});
		t.is(reasons.used, expected.used);
		t.is(coverage, expected.coverage);
	});
}

for (const [selection, message] of [
	[{kind: 'min-count', minCount: 0}, 'minCount: expected a whole number of at least 1, got 0'],
	[{kind: 'top', count: 1.5}, 'count: expected a whole number of at least 0, got 1.5'],
	[{kind: 'coverage', share: 1.1}, 'share: expected a number above 0 and at most 1, got 1.1'],
	[{kind: 'coverage', share: Number.NaN}, 'share: expected a number above 0 and at most 1, got NaN'],
] as const) {
	test(`refuses the selection ${JSON.stringify(selection)}`, async t => {
		await t.throwsAsync(select({}, {selection}), {code: 'ERR_BAD_ARGUMENT', message});
	});
}

test('refuses a multiple of 0', async t => {
	await t.throwsAsync(select({}, {multipleOf: 0}), {code: 'ERR_BAD_ARGUMENT', message: 'multipleOf: expected a whole number of at least 1, got 0'});
});

test('fills with the next most frequent token and what it passes through, exactly to the multiple', async t => {
	const {kept, reasons} = await select({ef: 2, abcd: 1}, {selection: {kind: 'min-count', minCount: 2}, multipleOf: 10});
	t.deepEqual(kept, [...characters, 'ab', 'cd', 'abcd', 'ef']);
	t.deepEqual([reasons.used, reasons.fill], [1, 3]);
});

test('fills past a token whose way is too long for the room left', async t => {
	// abcdef needs five more tokens; there is room for two, which its first parts take.
	const {kept, reasons} = await select({abcdef: 1}, {selection: {kind: 'top', count: 0}, multipleOf: 8});
	t.deepEqual(kept, [...characters, 'ab', 'cd']);
	t.is(reasons.fill, 2);
});

test('equally frequent tokens fill by the lower id', async t => {
	t.deepEqual((await select({}, {multipleOf: 7})).kept, [...characters, 'ab']);
});

test('never fills with a token that its own derivation can\'t reach', async t => {
	const {kept, keep} = await select({}, {multipleOf: 12});
	t.false(kept.includes('xyz'));
	t.is(keep.length, 11);
});

test('keeps an unreachable token that the corpus uses, with every way to it', async t => {
	const odd = filesOf(bpeJson(['a', 'b', 'c', 'ab', 'bc', 'abc'], ['b c', 'a b', 'ab c']));
	const {keep} = await selectVocabulary({files: odd, counts: Float64Array.of(0, 0, 0, 0, 0, 1), selection: {kind: 'used'}, multipleOf: 1, modelVocabulary: 6});
	t.deepEqual([...keep], [0, 1, 2, 3, 5]);
});

test('fills with rows that no token has only when real tokens have run out', async t => {
	const {reasons, keep} = await select({}, {multipleOf: 16, modelVocabulary: 20});
	t.deepEqual([reasons.fill, reasons.padding, keep.length], [5, 5, 16]);
	t.deepEqual([...keep].slice(-5), [12, 13, 14, 15, 16]);
});

test('drops rows that no token has when the multiple does not need them', async t => {
	const {keep} = await select({abcdef: 1, xyz: 1}, {modelVocabulary: 20});
	t.is(keep.length, 12);
});

test('stays short of the multiple when there is nothing left to fill with', async t => {
	const {keep} = await select({abcdef: 1, xyz: 1}, {multipleOf: 64});
	t.is(keep.length, 12);
});

test('keeps ids that the configs name, also rows that no token has, but none outside the embedding', async t => {
	const {keep, reasons} = await select({}, {modelVocabulary: 20, alwaysKeep: [15, 10, 20, -1]});
	t.deepEqual([...keep], [0, 1, 2, 3, 4, 5, 10, 15]);
	t.is(reasons.special, 2);
});

test('leaves out tokens that the embedding has no row for, and says so', async t => {
	const {keep, warnings} = await select({a: 1}, {modelVocabulary: 10});
	t.deepEqual([...keep], [0, 1, 2, 3, 4, 5]);
	t.deepEqual(warnings, ['2 tokens of the tokenizer have no row in the model\'s embedding (10 rows) and are left out, "xyz" first']);
});

test('keeps added tokens and every token of the chat template', async t => {
	const files = await readFixture('qwen');
	const size = files.model.tokens.length;
	const {keep, reasons} = await selectVocabulary({files, counts: new Float64Array(size), selection: {kind: 'used'}, multipleOf: 1, modelVocabulary: size});
	const [ids] = await createEncoder(files).encode(['<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n']);
	t.true([800, 801, 802, 803, ...ids!].every(id => keep.includes(id)));
	t.is(reasons.special, 4);
	t.true(reasons.chatTemplate > 0);
});

test('keeps the control tokens, the unknown token and the space symbol of a SentencePiece vocabulary', async t => {
	const files = await readFixture('llama');
	const {keep} = await selectVocabulary({files, counts: new Float64Array(900), selection: {kind: 'used'}, multipleOf: 1, modelVocabulary: 900});
	t.true(['<unk>', '<s>', '</s>', '▁'].every(token => keep.includes(files.model.ids.get(token)!)));
});

for (const name of ['unigram', 'unigram-bytes']) {
	test(`${name}: keeps a piece with the lowest score, which the price of the unknown hangs on`, async t => {
		const files = await readFixture(name);
		const size = files.model.tokens.length;
		const {keep} = await selectVocabulary({files, counts: new Float64Array(size), selection: {kind: 'used'}, multipleOf: 1, modelVocabulary: size});
		t.is(Math.min(...Array.from(keep, id => files.model.scores[id]!)), Math.min(...files.model.scores));
	});
}

test('two selections are the same', async t => {
	const files = await readFixture('qwen');
	const input = {files, counts: await countsOf(createEncoder(files), ['def main(): pass', 'naïve 🙂']), selection: {kind: 'used'}, modelVocabulary: 804} as const;
	t.deepEqual(await selectVocabulary(input), await selectVocabulary(input));
});

test('a chat template that fails to render still gives its words', t => {
	const texts = chatTemplateTexts({config: undefined, chatTemplates: [{file: 'x', template: 'Start {{ raise_exception("no\\n") }}{# note #}{{ nothing[\'a\'](1) }} end'}]});
	t.deepEqual(texts, ['Start ', 'no\n', 'a', ' end']);
});

test('a chat template that is no Jinja at all gives its words', t => {
	t.deepEqual(chatTemplateTexts({config: undefined, chatTemplates: [{file: 'x', template: 'Hi {% if %} there'}]}), ['Hi ', ' there']);
});

test('a chat template is rendered with the special tokens, tools, and no date of today', t => {
	const template = '{{ bos_token }}{{ strftime_now("%d %b %Y") }}{% if tools %}{{ tools | tojson }}{% endif %}{{ messages[0].role }}';
	const texts = chatTemplateTexts({config: {bos_token: {content: '<s>'}}, chatTemplates: [{file: 'x', template}]});
	t.true(texts.includes('<s>26 Jul 2024user'));
	t.true(texts.some(text => text.includes('"name": "run"')));
	t.true(templateWords(template).includes('31 Jul 2030'));
});
