import {setImmediate} from 'node:timers/promises';
import test from 'ava';
import type {ExecutionContext} from 'ava';
import type {Text} from '../../ts/calibration/texts.js';
import {countTokens, type TokenCounts} from '../../ts/tokenizer/count.js';
import {separator} from '../../ts/tokenizer/cuts.js';
import {createEncoder, type Encoder} from '../../ts/tokenizer/encoder.js';
import {createPieceReader, type PieceReader, type PieceReaderOptions} from '../../ts/tokenizer/pieces.js';
import {proveTokenizer, type TokenizerProof} from '../../ts/tokenizer/prove.js';
import {rewriteTokenizer} from '../../ts/tokenizer/rewrite.js';
import {selectVocabulary} from '../../ts/tokenizer/select.js';
import {runChild} from '../binding/support.js';
import {addedToken, bpeJson, filesOf, randomNumbers, randomText, readFixture, streamOf} from './support.js';
import {msUnderLoad} from '../waits.js';

const random = randomNumbers(8);
/** With texts that may not be cut among them. */
const corpus = [...Array.from({length: 200}, () => randomText(random, 1 + Math.floor(random() * 300))), `a${separator}b`, 'x <|im_end|>', 'lone \uD83D surrogate', '', '\n'];

const readerOf = async (t: ExecutionContext, options: PieceReaderOptions): Promise<PieceReader> => {
	const reader = await createPieceReader({batchLength: 10_000, ...options});
	t.teardown(async () => reader!.close());
	return reader!;
};

const names = ['qwen', 'strings', 'whole-words', 'llama'] as const;

for (const name of names) {
	test.serial(`${name}: pieces count what whole texts count, however many threads, and when pieces are forgotten`, async t => {
		const encoder = createEncoder(await readFixture(name));
		const count = async (pieces?: PieceReader): Promise<TokenCounts> => {
			const done: number[] = [];
			const counted = await countTokens({encoder, texts: streamOf(corpus), size: encoder.model.tokens.length, pieces, totalBytes: corpus.length}, {onProgress(event) {
				done.push(event.done);
			}});
			t.is(done.length > 5, pieces !== undefined);
			t.is(done.at(-1), corpus.length);
			return counted;
		};

		const expected = await count();
		for (const options of [{threads: 1}, {threads: 3}, {threads: 2, maxPieces: 300}]) {
			const pieces = await readerOf(t, {encoder, ...options});
			t.deepEqual(await count(pieces), expected, JSON.stringify(options));
			t.deepEqual(await count(pieces), expected, 'and again');
		}
	});

	for (const selection of [{kind: 'used'}, {kind: 'top', count: 40}] as const) {
		test.serial(`${name}: pieces prove the selection ${selection.kind} as whole texts do`, async t => {
			const files = await readFixture(name);
			const before = createEncoder(files);
			const {counts} = await countTokens({encoder: before, texts: streamOf(corpus), size: before.model.tokens.length});
			const {keep} = await selectVocabulary({files, counts, selection, modelVocabulary: counts.length});
			const after = createEncoder(rewriteTokenizer(files, keep).files.get('tokenizer.json')!);
			const prove = async (pieces?: PieceReader): Promise<TokenizerProof> =>
				proveTokenizer({before, after, keep, texts: streamOf(corpus), exact: selection.kind === 'used', pieces});
			const expected = await prove();
			t.is(expected.differing > 0, selection.kind === 'top');
			for (const options of [{threads: 2}, {threads: 1, maxPieces: 300}]) {
				const pieces = await readerOf(t, {encoder: before, ...options});
				t.deepEqual(await prove(pieces), expected, 'pieces that are new');
				t.deepEqual(await prove(pieces), expected, 'pieces that are known');
			}
		});
	}
}

test('there is no reader for a tokenizer whose texts may not be cut', async t => {
	t.is(await createPieceReader({encoder: createEncoder(await readFixture('unigram')), threads: 2}), undefined);
});

// What whole texts are refused with, pieces are refused with: the same words, the same place.
const sameError = async (t: ExecutionContext, encoder: Encoder, run: (pieces?: PieceReader) => Promise<unknown>, expected: {readonly code: string; readonly message: string | RegExp}): Promise<void> => {
	const [whole, cut] = [await t.throwsAsync(run(), expected), await t.throwsAsync(run(await readerOf(t, {encoder, threads: 2})), expected)];
	t.is(cut!.message, whole!.message);
	t.is((cut as unknown as {file: string}).file, (whole as unknown as {file: string}).file);
};

test('an id outside the embedding is named by file and record', async t => {
	const encoder = createEncoder(await readFixture('qwen'));
	const id = (await encoder.encode(['return']))[0]![0]!;
	await sameError(t, encoder, async pieces => countTokens({encoder, texts: streamOf(['x', 'y y', 'a return']), size: id, pieces}), {
		code: 'ERR_BAD_DATA', message: /^corpus\.jsonl, record 3: expected token ids below \d+, the size of the vocabulary, got \d+$/,
	});
	await sameError(t, encoder, async pieces => countTokens({encoder, texts: streamOf(['x', 'b<|im_end|>']), size: 802, pieces}), {
		code: 'ERR_BAD_DATA', message: 'corpus.jsonl, record 2: expected token ids below 802, the size of the vocabulary, got 802',
	});
});

test('an added first token outside the embedding is found as well', async t => {
	const encoder = createEncoder(await readFixture('whole-words'));
	const [first] = (await encoder.encode(['']))[0]!;
	await sameError(t, encoder, async pieces => countTokens({encoder, texts: streamOf(['x', 'y']), size: first!, pieces}), {code: 'ERR_BAD_DATA', message: new RegExp(`record 1: .* got ${first}$`)});
});

const byteLevel = {type: 'ByteLevel', add_prefix_space: false, use_regex: true, trim_offsets: true};
const small = (tokens: readonly string[], merges: readonly string[], more: Record<string, unknown> = {}): Encoder => createEncoder(filesOf(bpeJson(tokens, merges, {pre_tokenizer: byteLevel, ...more})));

test('other tokens than before for a text whose tokens are all kept are a failure, with place and both tokens', async t => {
	const tokens = ['a', 'b', 'c', 'ab', 'bc', 'Ġ'];
	const [before, after] = [small(tokens, ['a b', 'b c']), small(tokens, ['b c', 'a b'])];
	for (const exact of [true, false]) {
		await sameError(t, before, async pieces => proveTokenizer({before, after, keep: Uint32Array.of(0, 1, 2, 3, 4, 5), exact, pieces, texts: streamOf(['a', 'b c abc'], 'x.txt')}), {
			code: 'ERR_PROOF', message: 'x.txt, record 2, position 4: expected token 3 ("ab"), the pruned tokenizer gives token 0 ("a")',
		});
	}
});

test('a lost token is a failure when texts must be exact', async t => {
	const [before, after] = [small(['a', 'b', 'ab', 'Ġ'], ['a b']), small(['a', 'b', 'Ġ'], [])];
	const run = async (exact: boolean, pieces?: PieceReader) => proveTokenizer({before, after, keep: Uint32Array.of(0, 1, 3), exact, pieces, texts: streamOf(['a', 'b a ab'], 'x.txt')});
	await sameError(t, before, async pieces => run(true, pieces), {code: 'ERR_PROOF', message: 'x.txt, record 2, position 4: expected token 2 ("ab"), the pruned tokenizer gives token 0 ("a")'});
	const expected = {texts: 2, tokensBefore: 6, tokensAfter: 7, differing: 1, firstDifference: {file: 'x.txt', record: 2}, reachable: 3};
	t.deepEqual([await run(false), await run(false, await readerOf(t, {encoder: before, threads: 2}))], [expected, expected]);
});

test('a text whose tokens stand for another text than before is a failure', async t => {
	const decoder = {type: 'Replace', pattern: {String: 'ab'}, content: 'X'};
	const [before, after] = [small(['a', 'b', 'ab', 'Ġ'], ['a b'], {decoder}), small(['a', 'b', 'Ġ'], [], {decoder})];
	await sameError(t, before, async pieces => proveTokenizer({before, after, keep: Uint32Array.of(0, 1, 3), exact: false, pieces, texts: streamOf(['a', 'b ab'], 'x.txt')}), {
		code: 'ERR_PROOF', message: /^x\.txt, record 2: the pruned tokenizer's tokens stand for another text, from character \d on$/,
	});
});

test('pieces that do not have the tokens of the whole text are noticed, by the original and by the pruned tokenizer', async t => {
	const [right, wrong] = [small(['a', 'b', 'c', 'ab', 'bc'], ['a b', 'b c']), small(['a', 'b', 'c', 'ab', 'bc'], ['b c', 'a b'])];
	const mixed = {...right, model: wrong.model};
	const message = /^corpus\.jsonl, record 2: cut into pieces the text has other tokens than as a whole$/;
		await t.throwsAsync(countTokens({encoder: mixed, texts: streamOf(['a', 'abc']), size: 5, pieces: await readerOf(t, {encoder: mixed, threads: 1, batchLength: 1})}), {code: 'ERR_INTERNAL', message});
	const pieces = await readerOf(t, {encoder: right, threads: 1, batchLength: 1});
	await t.throwsAsync(proveTokenizer({before: right, after: {...wrong, model: right.model}, keep: Uint32Array.of(0, 1, 2, 3, 4), exact: true, texts: streamOf(['a', 'abc']), pieces}), {code: 'ERR_INTERNAL', message});
});

test('what has no token is left out of pieces as it is out of whole texts', async t => {
	const encoder = small(['a', 'b'], [], {added_tokens: [addedToken(2, '<x>')]});
	const pieces = await readerOf(t, {encoder, threads: 1});
	const count = async (reader?: PieceReader) => countTokens({encoder, texts: streamOf(['a é b', '<x>a']), size: 3, pieces: reader});
	t.deepEqual(await count(pieces), await count());
});

/** Texts without end. */
async function * endless(): AsyncGenerator<Text> {
	const words = randomNumbers(1);
	for (let record = 1; ; record++) {
		yield {text: randomText(words, 500), file: 'endless.jsonl', record};
		await setImmediate();
	}
}

test('an abort ends counting and proving at once', async t => {
	const encoder = createEncoder(await readFixture('qwen'));
	for (const run of [
		async (signal: AbortSignal, pieces: PieceReader, onProgress: () => void) => countTokens({encoder, texts: endless(), size: 804, pieces}, {signal, onProgress}),
		async (signal: AbortSignal, pieces: PieceReader, onProgress: () => void) => proveTokenizer({before: encoder, after: encoder, keep: Uint32Array.from({length: 804}, (_, id) => id), exact: true, texts: endless(), pieces}, {signal, onProgress}),
	]) {
		const controller = new AbortController();
		const pieces = await readerOf(t, {encoder, threads: 2, signal: controller.signal});
		let batches = 0;
		let begin = 0;
		await t.throwsAsync(run(controller.signal, pieces, () => {
			batches++;
			if (batches === 3) {
				setTimeout(() => {
					begin = performance.now();
					controller.abort();
				}, 5);
			}
		}), {code: 'ERR_ABORTED'});
		t.true(performance.now() - begin < msUnderLoad(150), `${performance.now() - begin} ms`);
	}
});

test('what a listener throws ends the counting', async t => {
	const encoder = createEncoder(await readFixture('qwen'));
	const pieces = await readerOf(t, {encoder, threads: 2});
	const thrown = new Error('enough');
	await t.throwsAsync(countTokens({encoder, texts: endless(), size: 804, pieces}, {onProgress() {
		throw thrown;
	}}), {is: thrown});
});

test('a failure of the texts ends the counting', async t => {
	const encoder = createEncoder(await readFixture('qwen'));
	const pieces = await readerOf(t, {encoder, threads: 2});
	const failing = async function * (): AsyncGenerator<Text> {
		yield * streamOf(corpus.slice(0, 300));
		throw new Error('a.jsonl is gone');
	};

	await t.throwsAsync(countTokens({encoder, texts: failing(), size: 804, pieces}), {message: 'a.jsonl is gone'});
});

test('a reader that failed or was closed leaves no thread behind', async t => {
	const address = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
	const {code, out, errors} = await runChild(`
		const {createEncoder} = await import(${address('../../ts/tokenizer/encoder.js')});
		const {createPieceReader} = await import(${address('../../ts/tokenizer/pieces.js')});
		const {countTokens} = await import(${address('../../ts/tokenizer/count.js')});
		const {readFixture, streamOf} = await import(${address('support.js')});
		const encoder = createEncoder(await readFixture('qwen'));
		for (const size of [804, 3]) {
			const pieces = await createPieceReader({encoder, threads: 2});
			console.log(await countTokens({encoder, texts: streamOf(['a b', 'return x']), size, pieces}).then(({tokens}) => tokens, ({code}) => code));
			if (size === 804) await pieces.close();
		}
	`);
	t.deepEqual([code, errors], [0, '']);
	t.regex(out, /^\d+\nERR_BAD_DATA$/);
});
