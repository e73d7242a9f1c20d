// Checkpoints with tokenizers and texts, each in a temporary folder of its own: what goes in, what comes out and what is left over all lie in `root`.
import {copyFile, cp, readFile, readdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {packageRoot} from '../../ts/native/root.js';
import {temporaryFolder, writePico} from '../fixtures/pico.js';
import type {PicoOptions, TestContext} from '../fixtures/pico.js';
import {letterTokenizer} from './letters.js';

/** A checkpoint to prune. */
export type Place = {
	/** Holds the model, the texts, and nothing else at first. */
	readonly root: string;
	readonly model: string;
	readonly corpus: string;
	readonly calibration: string;
	readonly out: string;
};

/** Lines of code with different ends; every tokenizer of the fixtures reads them, and none of them uses up its vocabulary. */
export const corpusTexts = ['def add(a, b):\n    return a + b\n', 'import os\nfor name in names:\n    print(name)', 'class point: x = 0; y = 1', 'while True:\n    pass  # wait', 'naïve 日本語'];
export const calibrationTexts = ['def add(a, b):', '    return a +', 'for name in names', 'import os', 'print(name', 'class point: x ='];

/** Names of the tiny checkpoints of test/fixtures/models. */
export const tinyModels = (await readdir(join(packageRoot, 'test/fixtures/models'), {withFileTypes: true})).filter(entry => entry.isDirectory()).map(({name}) => name).sort();

/** A tiny checkpoint of the fixtures with a tokenizer that has a token for each row of its embedding. */
export const tinyPlace = async (t: TestContext, name: string): Promise<Place> => {
	const place = await emptyPlace(t);
	const source = join(packageRoot, 'test/fixtures/models', name);
	await cp(source, place.model, {recursive: true, filter: path => !path.endsWith('reference.safetensors')});
	const {vocab_size: size} = JSON.parse(await readFile(join(source, 'config.json'), 'utf8')) as {vocab_size: number};
	await writeFile(join(place.model, 'tokenizer.json'), letterTokenizer(size));
	return place;
};

export type PicoPlaceOptions = PicoOptions & {
	/** Folder of test/fixtures/tokenizers. Default qwen. */
	readonly tokenizer?: string;
	/** Rows of the embedding that no token has. Default 0. */
	readonly paddingRows?: number;
};

/** A pico checkpoint with a tokenizer of the fixtures, all its files, and a row of the embedding for each token. */
export const picoPlace = async (t: TestContext, {tokenizer = 'qwen', paddingRows = 0, ...options}: PicoPlaceOptions = {}): Promise<Place> => {
	const place = await emptyPlace(t);
	const folder = join(packageRoot, 'test/fixtures/tokenizers', tokenizer);
	const vocabulary = tokensOf(await readFile(join(folder, 'tokenizer.json'), 'utf8')).length + paddingRows;
	await writePico(place.model, {vocabulary, ...options});
	for (const file of await readdir(folder)) {
		await copyFile(join(folder, file), join(place.model, file));
	}

	return place;
};

/** A checkpoint and texts that keep a search busy for about a minute: only a cancelled one ends sooner. */
export const longPlace = async (t: TestContext): Promise<Place> => {
	const place = await picoPlace(t, {layers: 16, width: 256, queryHeads: 8, headWidth: 32, kvHeads: 4, ffnWidth: 1024});
	const long = 'def add(a, b):\n    return a + b\n'.repeat(400);
	await writeTexts(place.calibration, Array.from({length: 32}, (_, text) => `${long}${text}`));
	return place;
};

/** The texts of a tokenizer.json's tokens by id. */
export const tokensOf = (tokenizerJson: string): readonly (string | undefined)[] => {
	const {model, added_tokens: added} = JSON.parse(tokenizerJson) as {model: {vocab: Record<string, number> | [string, number][]}; added_tokens: {id: number; content: string}[]};
	const tokens: (string | undefined)[] = [];
	const entries = Array.isArray(model.vocab) ? model.vocab.map(([token], id) => [token, id] as const) : Object.entries(model.vocab);
	for (const [token, id] of [...entries, ...added.map(({content, id}) => [content, id] as const)]) {
		tokens[id] = token;
	}

	return tokens;
};

/** Texts as a JSONL file. */
export const writeTexts = async (path: string, texts: readonly string[]): Promise<void> => writeFile(path, texts.map(text => `${JSON.stringify({text})}\n`).join(''));

const emptyPlace = async (t: TestContext): Promise<Place> => {
	const root = await temporaryFolder(t);
	const place = {root, model: join(root, 'model'), corpus: join(root, 'corpus.jsonl'), calibration: join(root, 'calibration.jsonl'), out: join(root, 'out')};
	await writeTexts(place.corpus, corpusTexts);
	await writeTexts(place.calibration, calibrationTexts);
	return place;
};
