import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {countTokens} from '../../ts/tokenizer/count.js';
import {createEncoder} from '../../ts/tokenizer/encoder.js';
import {readTokenizer} from '../../ts/tokenizer/files.js';
import {readModel} from '../../ts/tokenizer/model.js';
import {addedToken, bpeJson, filesOf, randomNumbers, randomText, readFixture, streamOf} from './support.js';

const inFolder = async (files: Record<string, string>, use: (folder: string) => Promise<void>): Promise<void> => {
	const folder = await mkdtemp(join(tmpdir(), 'flab-tokenizer-'));
	try {
		await Promise.all(Object.entries(files).map(async ([name, content]) => writeFile(join(folder, name), content)));
		await use(folder);
	} finally {
		await rm(folder, {recursive: true});
	}
};

test('finds every file of a tokenizer', async t => {
	const qwen = await readFixture('qwen');
	t.like(qwen, {sentencePieceFile: undefined, unprunable: []});
	t.is(qwen.model.kind, 'bpe');
	t.is(qwen.model.tokens.length, 804);
	t.deepEqual(qwen.chatTemplates.map(({file}) => file), ['chat_template.jinja']);
	t.true([qwen.config, qwen.specialTokensMap, qwen.vocabulary, qwen.addedTokens, qwen.merges].every(file => file !== undefined));
	const llama = await readFixture('llama');
	t.is(llama.sentencePieceFile, 'tokenizer.model');
	t.deepEqual(llama.chatTemplates.map(({file}) => file), ['tokenizer_config.json']);
});

test('reads chat templates of every place', async t => {
	await inFolder({
		'tokenizer.json': `\uFEFF${JSON.stringify(bpeJson(['a'], []))}`,
		'chat_template.jinja': 'one',
		'chat_template.json': '{"chat_template": "two"}',
		'tokenizer_config.json': '{"chat_template": [{"name": "default", "template": "three"}, {"name": "tools", "template": "four"}]}',
	}, async folder => {
		t.deepEqual((await readTokenizer(folder)).chatTemplates.map(({template}) => template), ['one', 'two', 'three', 'four']);
	});
});

test('a folder without tokenizer.json is told how to make one', async t => {
	await inFolder({'vocab.json': '{}'}, async folder => {
		const error = await t.throwsAsync(readTokenizer(folder), {code: 'ERR_BAD_TOKENIZER', message: `${folder}: expected tokenizer.json, found none`});
		t.regex((error as unknown as {hint: string}).hint, /save_pretrained/);
	});
});

for (const [title, content, message] of [
	['that is cut off', '{"model": {', /tokenizer\.json: not valid JSON: /],
	['that is no object', '[]', /tokenizer\.json: expected a JSON object, got \[\]/],
	['without a model', '{}', /expected a "model" object/],
	['with WordPiece', '{"model": {"type": "WordPiece", "vocab": {}}}', /model type: expected BPE or Unigram, got "WordPiece"/],
	['with WordLevel that does not say so', '{"model": {"vocab": {}}}', /expected BPE or Unigram, got "WordLevel"/],
	['with an id that is no number', '{"model": {"type": "BPE", "vocab": {"a": "0"}, "merges": []}}', /id of the token "a": expected an integer of at least 0, got "0"/],
	['with one id for two tokens', '{"model": {"type": "BPE", "vocab": {"a": 0, "b": 0}, "merges": []}}', /the tokens "a" and "b" have the same id 0/],
	['with a merge of three', '{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a a a"]}}', /merge 0: expected two tokens, got "a a a"/],
	['with a merge of unknown tokens', '{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}}', /the merges need the token "b", the vocabulary lacks it/],
	['with a piece without score', '{"model": {"type": "Unigram", "vocab": [["a"]]}}', /piece 0: expected a text and a score, got \["a"\]/],
] as const) {
	test(`a tokenizer.json ${title} is refused`, async t => {
		await inFolder({'tokenizer.json': content}, async folder => {
			await t.throwsAsync(readTokenizer(folder), {code: 'ERR_BAD_TOKENIZER', message});
		});
	});
}

test('a file that the library can\'t load is refused with its words', async t => {
	const error = t.throws(() => createEncoder(JSON.stringify(bpeJson(['a'], [], {pre_tokenizer: {type: 'Nonsense'}}))), {code: 'ERR_BAD_TOKENIZER'});
	t.regex(error.message, /tokenizer\.json: .*/);
});

test('added tokens have the ids that the library gives them, whatever the file says', async t => {
	const json = bpeJson(['a', 'b'], [], {added_tokens: [addedToken(9, '<x>'), addedToken(7, 'b'), addedToken(5, '<y>')]});
	t.deepEqual(readModel(json, 'tokenizer.json').added.map(({id}) => id), [2, 1, 3]);
	t.deepEqual((await createEncoder(filesOf(json)).encode(['<x>b<y>'])).map(row => [...row]), [[2, 1, 3]]);
});

test('merges in old files may begin with a version line, which is no merge', t => {
	t.is(readModel(bpeJson(['a', 'b', 'ab'], ['#version: 0.2', 'a b']), 'tokenizer.json').merges.length, 1);
});

test('the encoder knows no truncation, padding or dropout', async t => {
	const {text, model} = await readFixture('qwen');
	const encoder = createEncoder({text, model});
	const [long, short] = await encoder.encode(['def '.repeat(100), 'a']);
	t.true(long!.length > 16);
	t.is(short!.length, 1);
	const dropout = createEncoder(JSON.stringify(bpeJson(['a', 'b', 'ab'], ['a b'], {}, {dropout: 1})));
	t.deepEqual((await dropout.encode(['ab'])).map(row => [...row]), [[2]]);
});

test('special tokens are added unless asked otherwise', async t => {
	const files = await readFixture('llama');
	t.deepEqual((await createEncoder(files).encode([''])).map(row => [...row]), [[1]]);
	t.deepEqual((await createEncoder(files, {addSpecialTokens: false}).encode([''])).map(row => [...row]), [[]]);
});

for (const name of ['qwen', 'llama']) {
	test(`${name}: a cut text has the bytes up to its last token`, async t => {
		const encoder = createEncoder(await readFixture(name));
		const text = 'x = "é🙂" # 日本';
		const [ids] = await encoder.encode([text]);
		const [whole] = await encoder.encodeTruncated([text], ids!.length);
		t.is(whole!.bytes, Buffer.byteLength(text));
		let before = 0;
		for (let tokens = 1; tokens < ids!.length; tokens++) {
			const [cut] = await encoder.encodeTruncated([text], tokens);
			t.deepEqual([...cut!.ids], [...ids!.slice(0, tokens)]);
			t.true(cut!.bytes >= before && cut!.bytes <= whole!.bytes);
			before = cut!.bytes;
		}

	});
}

test('characters of four bytes count as four, whatever JavaScript makes of them', async t => {
	const encoder = createEncoder(JSON.stringify(bpeJson(['🙂', 'é', 'a'], [])));
	t.deepEqual((await encoder.encodeTruncated(['🙂é🙂a', 'a🙂a'], 2)).map(({bytes}) => bytes), [6, 5]);
});

test('counts are those of encoding the texts one by one, over several batches', async t => {
	const encoder = createEncoder(await readFixture('qwen'));
	const random = randomNumbers(1);
	const texts = Array.from({length: 12}, () => randomText(random, 50_000));
	const done: number[] = [];
	const {counts, ...sums} = await countTokens({encoder, texts: streamOf(texts), size: 804, totalBytes: 12}, {onProgress: ({done: bytes}) => done.push(bytes)});
	const expected = new Float64Array(804);
	for (const text of texts) {
		for (const id of (await encoder.encode([text]))[0]!) {
			expected[id]!++;
		}
	}

	t.deepEqual(counts, expected);
	t.deepEqual(sums, {texts: 12, bytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0), tokens: expected.reduce((sum, count) => sum + count, 0)});
	t.true(done.length > 1);
	t.is(done.at(-1), 12);
});

test('an id outside the embedding is named by file and record', async t => {
	const encoder = createEncoder(await readFixture('qwen'));
	await t.throwsAsync(countTokens({encoder, texts: streamOf(['a', 'b<|im_end|>']), size: 802}), {
		code: 'ERR_BAD_DATA', message: 'corpus.jsonl, record 2: expected token ids below 802, the size of the vocabulary, got 802',
	});
});

test('a text that the tokenizer refuses is named by file and record', async t => {
	const json = {version: '1.0', added_tokens: [], model: {type: 'Unigram', unk_id: null, vocab: [['a', 0]]}};
	await t.throwsAsync(countTokens({encoder: createEncoder(JSON.stringify(json)), texts: streamOf(['a', 'ab']), size: 1}), {
		code: 'ERR_BAD_DATA', message: /^corpus\.jsonl, record 2: The tokenizer could not encode the text: /,
	});
});

test('a cancelled count ends with ERR_ABORTED', async t => {
	const encoder = createEncoder(await readFixture('qwen'));
	await t.throwsAsync(countTokens({encoder, texts: streamOf(['a']), size: 804}, {signal: AbortSignal.abort()}), {code: 'ERR_ABORTED'});
});

test('a progress callback that throws ends the count', async t => {
	const encoder = createEncoder(await readFixture('qwen'));
	await t.throwsAsync(countTokens({encoder, texts: streamOf(['a']), size: 804}, {onProgress() {
		throw new Error('enough');
	}}), {message: 'enough'});
});
