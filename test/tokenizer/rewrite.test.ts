import test from 'ava';
import {createEncoder} from '../../ts/tokenizer/encoder.js';
import {writeJson} from '../../ts/tokenizer/json.js';
import {rewriteTokenizer} from '../../ts/tokenizer/rewrite.js';
import {selectVocabulary} from '../../ts/tokenizer/select.js';
import {addedToken, bpeJson, countsOf, filesOf, readFixture} from './support.js';

const prune = async (name: string, texts: readonly string[] = ['def main(): return self']) => {
	const files = await readFixture(name);
	const counts = await countsOf(createEncoder(files), texts);
	const {keep} = await selectVocabulary({files, counts, selection: {kind: 'used'}, modelVocabulary: counts.length});
	const {files: written, dropped} = rewriteTokenizer(files, keep);
	const json = (file: string) => JSON.parse(written.get(file)!) as any;
	return {files, keep, written, dropped, json, size: keep.length};
};

test('every file with ids is rewritten, and only those', async t => {
	const {written, dropped} = await prune('qwen');
	t.deepEqual([...written.keys()], ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'vocab.json', 'merges.txt', 'added_tokens.json']);
	t.deepEqual(dropped, []);
});

test('added tokens, padding, the config\'s decoder and its ids have the new ids', async t => {
	const {json, size} = await prune('qwen');
	const expected = [size - 4, size - 3, size - 2, size - 1];
	t.deepEqual(json('tokenizer.json').added_tokens.map(({id}: {id: number}) => id), expected);
	t.is(json('tokenizer.json').padding.pad_id, expected[0]);
	t.is(json('tokenizer.json').truncation.max_length, 16);
	t.deepEqual(Object.keys(json('tokenizer_config.json').added_tokens_decoder), expected.map(String));
	t.is(json('tokenizer_config.json').eos_token_id, expected[2]);
	t.deepEqual(json('added_tokens.json'), {'<|endoftext|>': expected[0], '<|im_start|>': expected[1], '<|im_end|>': expected[2], '<tool_call>': expected[3]});
});

test('vocab.json and merges.txt say what tokenizer.json says', async t => {
	const {json, written} = await prune('qwen');
	t.deepEqual(json('vocab.json'), json('tokenizer.json').model.vocab);
	const [version, ...lines] = written.get('merges.txt')!.split('\n');
	t.is(version, '#version: 0.2');
	t.is(lines.pop(), '');
	t.deepEqual(lines.map(line => line.split(' ')), json('tokenizer.json').model.merges);
});

test('merges that are strings stay strings', async t => {
	const {json} = await prune('strings');
	t.true(json('tokenizer.json').model.merges.length > 0);
	t.true(json('tokenizer.json').model.merges.every((merge: unknown) => typeof merge === 'string'));
	t.is(json('tokenizer.json').model.unk_token, null);
	t.is(json('tokenizer_config.json').bos_token, null);
});

test('the post-processor inserts the new ids', async t => {
	const {json, size} = await prune('whole-words');
	t.deepEqual(json('tokenizer.json').post_processor.processors[1].special_tokens['<|begin_of_text|>'].ids, [size - 2]);
});

for (const type of ['BertProcessing', 'RobertaProcessing']) {
	test(`${type} has the new ids, and its tokens stay`, async t => {
		const files = filesOf(bpeJson(['a', 'b', 'ab', '[CLS]', '[SEP]'], ['a b'], {
			post_processor: {type, sep: ['[SEP]', 4], cls: ['[CLS]', 3], trim_offsets: true, add_prefix_space: false},
		}));
		const {keep} = await selectVocabulary({files, counts: new Float64Array(5), selection: {kind: 'used'}, multipleOf: 1, modelVocabulary: 5});
		t.deepEqual([...keep], [0, 1, 3, 4]);
		const json = JSON.parse(rewriteTokenizer(files, keep).files.get('tokenizer.json')!) as any;
		t.deepEqual(json.post_processor, {type, sep: ['[SEP]', 3], cls: ['[CLS]', 2], trim_offsets: true, add_prefix_space: false});
	});
}

test('the unknown id of a Unigram moves with its piece, and scores stay as they are', async t => {
	const pieces = [['x', -3], ['y', -2], ['<unk>', 0], ['xy', -2.123456789012345]];
	const files = filesOf({version: '1.0', added_tokens: [], model: {type: 'Unigram', unk_id: 2, vocab: pieces}});
	const json = JSON.parse(rewriteTokenizer(files, Uint32Array.of(0, 2, 3)).files.get('tokenizer.json')!) as any;
	t.deepEqual(json.model, {type: 'Unigram', unk_id: 1, vocab: [['x', -3], ['<unk>', 0], ['xy', -2.123456789012345]]});
});

test('a SentencePiece model is not carried over, with a reason', async t => {
	const {dropped} = await prune('llama');
	t.deepEqual(dropped.map(({file}) => file), ['tokenizer.model']);
	t.regex(dropped[0]!.reason, /not rewritten/);
});

test('keys keep their order, and the vocabulary is in the order of ids though JavaScript would move digits to the front', async t => {
	const {json, written, files} = await prune('qwen', ['1 2 3', '12']);
	t.deepEqual(Object.keys(json('tokenizer.json')), Object.keys(files.model.json));
	t.deepEqual(Object.keys(json('tokenizer_config.json')), Object.keys(files.config!));
	const vocabulary = [...written.get('vocab.json')!.matchAll(/^ {2}"(?:[^"\\]|\\.)+": (\d+),?$/gm)].map(([, id]) => Number(id));
	t.deepEqual(vocabulary, [...vocabulary.keys()]);
	t.true(vocabulary.length > 250);
});

test('files are JSON with two spaces, a final newline, other scripts and long numbers as they are', async t => {
	const {written} = await prune('llama', ['▁日本 é']);
	t.true(written.get('tokenizer.json')!.startsWith('{\n  "version": "1.0",\n  "truncation": null,\n'));
	t.true(written.get('tokenizer.json')!.endsWith('}\n'));
	t.true(written.get('tokenizer.json')!.includes('"▁"'));
	t.true((await prune('qwen')).written.get('tokenizer_config.json')!.includes('"model_max_length": 1000000000000000019884624838656'));
	t.is(writeJson({a: [], b: {}, c: [1, 'é']}), '{\n  "a": [],\n  "b": {},\n  "c": [\n    1,\n    "é"\n  ]\n}\n');
});

test('where old ids had a hole, added tokens still get the ids that the embedding has for them', async t => {
	const json = bpeJson(['a', 'b'], [], {added_tokens: [addedToken(3, '<x>')]});
	(json.model as any).vocab = {a: 0, b: 1, c: 4};
	const files = filesOf(json);
	const {keep} = await selectVocabulary({files, counts: new Float64Array(5), selection: {kind: 'used'}, multipleOf: 1, modelVocabulary: 5});
	t.deepEqual([...keep], [0, 1, 3, 4]);
	const after = createEncoder(rewriteTokenizer(files, keep).files.get('tokenizer.json')!);
	t.deepEqual((await after.encode(['a<x>c'])).map(row => [...row]), [[0, 2, 3]]);
	t.deepEqual((await createEncoder(files).encode(['a<x>c'])).map(row => [...row]), [[0, 3, 4]]);
});

test('a padding token without a row is no padding token any more', t => {
	const files = filesOf(bpeJson(['a', 'b'], [], {padding: {strategy: 'BatchLongest', direction: 'Right', pad_id: 7, pad_type_id: 0, pad_token: '<pad>'}}));
	const json = JSON.parse(rewriteTokenizer(files, Uint32Array.of(0)).files.get('tokenizer.json')!) as any;
	t.is(json.padding, null);
});

test('an id written beside a special token\'s content is replaced, any other "id" is not', async t => {
	const files = {...await readFixture('qwen'), specialTokensMap: {eos_token: {content: '<|im_end|>', id: 802}, other: {id: 802}, pad_token_id: 800}};
	const json = JSON.parse(rewriteTokenizer(files, Uint32Array.of(800, 801, 802)).files.get('special_tokens_map.json')!) as unknown;
	t.deepEqual(json, {eos_token: {content: '<|im_end|>', id: 2}, other: {id: 802}, pad_token_id: 0});
});

test('two rewrites give the same bytes', async t => {
	t.deepEqual([...(await prune('qwen')).written], [...(await prune('qwen')).written]);
});
