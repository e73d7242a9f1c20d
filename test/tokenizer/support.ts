import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import type {Text} from '../../ts/calibration/texts.js';
import {countTokens} from '../../ts/tokenizer/count.js';
import {createEncoder, type Encoder} from '../../ts/tokenizer/encoder.js';
import {readTokenizer, type TokenizerFiles} from '../../ts/tokenizer/files.js';
import {readModel} from '../../ts/tokenizer/model.js';

/** The project's folder, also from where the tests are compiled to. */
export const root = fileURLToPath(import.meta.url).split(/[/\\](?:build[/\\]tests[/\\])?test[/\\]tokenizer[/\\]/)[0]!;

export const fixtureFolder = (name: string): string => join(root, 'test', 'fixtures', 'tokenizers', name);

/** Every tokenizer of the fixtures. */
export const fixtureNames = ['qwen', 'strings', 'whole-words', 'llama', 'unigram-bytes', 'unigram'] as const;

export const readFixture = async (name: string): Promise<TokenizerFiles> => readTokenizer(fixtureFolder(name));

/** Files with nothing but a tokenizer.json. */
export const filesOf = (json: Record<string, unknown>): TokenizerFiles => ({
	directory: '', text: JSON.stringify(json), model: readModel(json, 'tokenizer.json'), config: undefined, specialTokensMap: undefined, vocabulary: undefined,
	merges: undefined, addedTokens: undefined, chatTemplates: [], sentencePieceFile: undefined, unprunable: [],
});

/** A tokenizer.json with BPE and nothing around it. */
export const bpeJson = (tokens: readonly string[], merges: readonly unknown[], more: Record<string, unknown> = {}, model: Record<string, unknown> = {}): Record<string, unknown> => ({
	version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, ...more,
	model: {type: 'BPE', unk_token: null, vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges, ...model},
});

/** An added token as tokenizer.json lists it. */
export const addedToken = (id: number, content: string): Record<string, unknown> =>
	({id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true});

/** The encoder of a model alone: no normalizer, no splitting, no added tokens. What it makes of a token's text is an oracle for reachability. */
export const bareEncoder = ({model}: Encoder): Encoder =>
	createEncoder(JSON.stringify({...model.json, added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, truncation: null, padding: null}));

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export const randomNumbers = (seed: number): (() => number) => {
	let state = seed;
	return () => {
		state = (state + 0x6D_2B_79_F5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
};

const words = [
	'def ', 'return', ' self', '.', '_', '(', ')', ':', '\n', '    ', '\t', ' ', '=', '==', 'action', 'args', '0', '1', '12', 'class Counter(dict):', 'é', 'e\u0301', 'naïve',
	'日本語', '日', '🙂', '👩‍💻', 'Привет', '\r\n', '"""', '#', 'constexpr', ' constexpr', 'zzzq', '        return', 'ValueError', '<|im_end|>', '<s>', '<0x41>', '▁', '~', '@', '\u0000', '\u00AD',
];

/** A text of random words, with every kind of trouble. */
export const randomText = (random: () => number, length: number): string =>
	Array.from({length}, () => words[Math.floor(random() * words.length)]!).join('');

/** Texts as a stream, as readTexts gives them. */
export async function * streamOf(texts: readonly string[], file = 'corpus.jsonl'): AsyncGenerator<Text> {
	for (const [index, text] of texts.entries()) {
		yield {text, file, record: index + 1, bytesRead: index + 1};
	}
}

export const countsOf = async (encoder: Encoder, texts: readonly string[]): Promise<Float64Array> =>
	(await countTokens({encoder, texts: streamOf(texts), size: encoder.model.tokens.length})).counts;
