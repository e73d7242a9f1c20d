import test from 'ava';
import {calibrationWarnings, encodeTexts} from '../../ts/calibration/encode.js';
import {createEncoder} from '../../ts/tokenizer/encoder.js';
import {readFixture, streamOf} from '../tokenizer/support.js';

const encoder = createEncoder(await readFixture('qwen'));
const size = encoder.model.tokens.length;
const encode = async (texts: readonly string[], more: {maxTexts?: number; maxTokens?: number; vocabulary?: number} = {}) =>
	encodeTexts({encoder, texts: streamOf(texts), maxTexts: 100, maxTokens: 100, vocabulary: size, ...more});

test('texts are packed one after the other', async t => {
	const texts = ['def main():', 'é', 'return 1'];
	const rows = await encoder.encode(texts);
	const {ids, offsets, bytes, sources, truncated, lastTokens, distinctTexts} = await encode(texts);
	t.deepEqual([...ids], rows.flatMap(row => [...row]));
	t.deepEqual([...offsets], [0, rows[0]!.length, rows[0]!.length + rows[1]!.length, ids.length]);
	t.deepEqual([...bytes], [11, 2, 8]);
	t.deepEqual(sources[1], {file: 'corpus.jsonl', record: 2});
	t.deepEqual([truncated, lastTokens, distinctTexts], [0, 3, 3]);
});

test('only the first texts count, more than one batch of them', async t => {
	const texts = Array.from({length: 300}, (_, index) => `x${index}`);
	const {offsets, sources} = await encode(texts, {maxTexts: 150});
	t.is(offsets.length, 151);
	t.deepEqual(sources.map(({record}) => record), Array.from({length: 150}, (_, index) => index + 1));
});

test('no more texts are read than needed', async t => {
	let read = 0;
	const texts = (async function * () {
		for (; ; read++) {
			yield {text: 'a', file: 'x', record: read + 1};
		}
	})();
	await encodeTexts({encoder, texts, maxTexts: 3, maxTokens: 5, vocabulary: size});
	t.true(read <= 3);
});

test('long texts are cut, and their bytes are those of the part that is left', async t => {
	const {ids, bytes, truncated} = await encode(['a b c d e', 'a'], {maxTokens: 3});
	t.is(ids.length, 4);
	t.deepEqual([...bytes], [5, 1]);
	t.is(truncated, 1);
});

test('texts that give no token are left out, and others take their place', async t => {
	const {sources} = await encode(['', 'a', '', 'b', 'c'], {maxTexts: 2});
	t.deepEqual(sources.map(({record}) => record), [2, 4]);
});

for (const texts of [[], [''], ['', '']]) {
	test(`an empty calibration set is refused: ${JSON.stringify(texts)}`, async t => {
		await t.throwsAsync(encode(texts), {code: 'ERR_BAD_DATA', message: 'The calibration set is empty: no text gives a token'});
	});
}

test('an id outside the vocabulary is named by file and record', async t => {
	await t.throwsAsync(encode(['a', 'a<|im_end|>'], {vocabulary: 802}), {
		code: 'ERR_BAD_DATA', message: 'corpus.jsonl, record 2: expected token ids below 802, the size of the vocabulary, got 802',
	});
});

for (const limits of [{maxTexts: 0}, {maxTokens: 0}, {maxTokens: 1.5}]) {
	test(`refuses ${JSON.stringify(limits)}`, async t => {
		const [[name, value]] = Object.entries(limits) as [[string, number]];
		await t.throwsAsync(encode(['a'], limits), {code: 'ERR_BAD_ARGUMENT', message: `${name}: expected a whole number of at least 1, got ${value}`});
	});
}

test('warns when all texts end in the same token', async t => {
	const [warning, ...others] = calibrationWarnings(await encode(['a\n', 'b\n', 'c\n']));
	t.regex(warning!, /^All 3 calibration texts end in the same token \(\d+\): at positions "last"/);
	t.deepEqual(others, []);
});

test('warns when all texts are the same', async t => {
	t.deepEqual(calibrationWarnings(await encode(['a', 'a'])), ['All 2 calibration texts are the same: the scores rest on a single text']);
});

test('warns of nothing for texts that end differently, or a single text', async t => {
	t.deepEqual(calibrationWarnings(await encode(['a', 'b'])), []);
	t.deepEqual(calibrationWarnings(await encode(['a'])), []);
});

test('a cancelled encoding ends with ERR_ABORTED', async t => {
	await t.throwsAsync(encodeTexts({encoder, texts: streamOf(['a']), maxTexts: 1, maxTokens: 1, vocabulary: size}, {signal: AbortSignal.abort()}), {code: 'ERR_ABORTED'});
});
