// What a pruned checkpoint must be, worked out from the original and the plan's keep lists, without the code that made it.
import {readFile, readdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {Tokenizer} from 'tokenizers';
import {readHeader} from '../../ts/checkpoint/safetensors.js';
import {openCheckpoint} from '../../ts/index.js';
import type {Checkpoint, MappedTensor, Plan} from '../../ts/index.js';
import {corpusTexts, tokensOf} from './checkpoints.js';

/** Original indices that stay; undefined where all do. */
export type Kept = {readonly tokens?: readonly number[]; readonly layers: readonly number[]; readonly neurons?: readonly (readonly number[])[]};

/** The keep lists of a plan, ranges written out. */
export const keptBy = ({vocabulary, layers, ffn, source}: Plan): Kept => ({
	...vocabulary && {tokens: writtenOut(vocabulary.keep)},
	layers: layers?.keep ?? Array.from({length: source.config.layers}, (_, layer) => layer),
	...ffn && {neurons: ffn.keep.map(ranges => writtenOut(ranges))},
});

const writtenOut = (ranges: readonly (readonly number[])[]): readonly number[] =>
	ranges.flatMap(([begin, end]) => Array.from({length: end! - begin!}, (_, place) => begin! + place));

/** Asserts that `out` is `model` pruned as the plan says: every tensor, the configs, the tokenizer, the files. */
export const checkOutput = async (t: ExecutionContext, {model, out, plan, maxShardBytes = 5e9}: {readonly model: string; readonly out: string; readonly plan: Plan; readonly maxShardBytes?: number}): Promise<void> => {
	const before = await openCheckpoint(model);
	const after = await openCheckpoint(out);
	const kept = keptBy(plan);
	checkTensors(t, before, after, kept);
	checkConfig(t, before.config, after.config, kept);
	await checkGenerationConfig(t, model, out, kept);
	await checkShards(t, out, after, maxShardBytes);
	await checkTokenizer(t, model, out, kept);
};

const checkTensors = (t: ExecutionContext, before: Checkpoint, after: Checkpoint, kept: Kept): void => {
	const expected = before.names.flatMap(name => {
		const layer = layerOf(name);
		const place = layer === undefined ? undefined : kept.layers.indexOf(layer);
		return place === -1 ? [] : [{name, place, newName: place === undefined ? name : name.replace(/^model\.layers\.\d+\./, `model.layers.${place}.`)}];
	});
	t.deepEqual([...after.names].sort(), expected.map(({newName}) => newName).sort());
	for (const {name, place, newName} of expected) {
		const source = before.tensor(name);
		const result = after.tensor(newName);
		const rows = /^(model\.embed_tokens|lm_head)\.weight$/.test(name) ? kept.tokens : (/\.mlp\.(gate|up)_proj\.(weight|bias)$/.test(name) ? kept.neurons?.[place!] : undefined);
		const columns = /\.mlp\.down_proj\.weight$/.test(name) ? kept.neurons?.[place!] : undefined;
		t.is(result.dtype, source.dtype, newName);
		t.deepEqual(result.shape, [rows?.length, columns?.length, undefined].slice(0, source.shape.length).map((size, axis) => size ?? source.shape[axis]), newName);
		t.true(bytesOf(result).equals(sliced(source, rows, columns)), `${newName}: not the rows and columns of ${name} that the plan keeps`);
	}
};

const layerOf = (name: string): number | undefined => {
	const match = /^model\.layers\.(\d+)\./.exec(name);
	return match ? Number(match[1]) : undefined;
};

const bytesOf = ({data}: MappedTensor): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

// One element at a time: slow, and hard to get wrong.
const sliced = (tensor: MappedTensor, rows: readonly number[] | undefined, columns: readonly number[] | undefined): Buffer => {
	const bytes = bytesOf(tensor);
	if (rows === undefined && columns === undefined) {
		return bytes;
	}

	const [height = 1, width = 1] = tensor.shape;
	const itemBytes = bytes.length / (height * width);
	const allRows = rows ?? Array.from({length: height}, (_, row) => row);
	const allColumns = columns ?? Array.from({length: width}, (_, column) => column);
	return Buffer.concat(allRows.flatMap(row => allColumns.map(column => bytes.subarray((row * width + column) * itemBytes, (row * width + column + 1) * itemBytes))));
};

type Json = Readonly<Record<string, unknown>>;

const checkConfig = (t: ExecutionContext, before: Json, after: Json, {tokens, layers, neurons}: Kept): void => {
	const dropsLayers = layers.length < Number(before['num_hidden_layers']);
	const expected = Object.entries(before).map(([key, value]) => {
		switch (key) {
			case 'vocab_size': { return [key, tokens?.length ?? value];
			}

			case 'num_hidden_layers': { return [key, layers.length];
			}

			case 'intermediate_size': { return [key, neurons?.[0]?.length ?? value];
			}

			case 'layer_types': { return [key, layers.map(layer => (value as readonly unknown[])[layer])];
			}

			// So many layers, counted from the first, are of the first kind.
			case 'max_window_layers': { return [key, dropsLayers ? layers.filter(layer => layer < Number(value)).length : value];
			}

			default: { return [key, newIds(key, value, tokens)];
			}
		}
	});
	t.deepEqual(Object.entries(after), expected, 'config.json, and the order of its keys');
};

const newIds = (key: string, value: unknown, tokens: readonly number[] | undefined): unknown => {
	if (tokens === undefined || !key.endsWith('_token_id') || value === null) {
		return value;
	}

	return Array.isArray(value) ? value.map(id => tokens.indexOf(id as number)) : tokens.indexOf(value as number);
};

const checkGenerationConfig = async (t: ExecutionContext, model: string, out: string, {tokens}: Kept): Promise<void> => {
	const before = await json(model, 'generation_config.json');
	const after = await json(out, 'generation_config.json');
	t.deepEqual(Object.entries(after), Object.entries(before).map(([key, value]) => [key, newIds(key, value, tokens)]), 'generation_config.json');
};

/** Sound headers, sizes within the limit, each tensor once, and an index that says where. */
const checkShards = async (t: ExecutionContext, out: string, {names}: Checkpoint, maxShardBytes: number): Promise<void> => {
	const files = (await readdir(out)).filter(name => name.endsWith('.safetensors')).sort();
	const shards = await Promise.all(files.map(async file => readHeader(join(out, file))));
	for (const {file, path, tensors, metadata} of shards) {
		const {size} = await stat(path);
		t.true(size <= maxShardBytes || tensors.length === 1, `${file}: ${size} bytes`);
		t.is(metadata['format'], 'pt');
		for (const {name, begin, itemBits} of tensors) {
			t.is(begin % Math.max(1, itemBits / 8), 0, `${name} lies at a multiple of its element size`);
		}
	}

	t.deepEqual(files, files.length === 1 ? ['model.safetensors'] : files.map((_, place) => `model-${number(place + 1)}-of-${number(files.length)}.safetensors`));
	t.is(shards.reduce((sum, {tensors}) => sum + tensors.length, 0), names.length, 'each tensor is stored once');
	const index = await json(out, 'model.safetensors.index.json').catch(() => undefined);
	t.is(index !== undefined, files.length > 1, 'there is an index when there are several files');
	if (index !== undefined) {
		const places = shards.flatMap(({file, tensors}) => tensors.map(({name}) => [name, file]));
		t.deepEqual(index['weight_map'], Object.fromEntries(places));
		t.is((index['metadata'] as Json)['total_size'], shards.flatMap(({tensors}) => tensors).reduce((sum, {bytes}) => sum + bytes, 0));
	}
};

const number = (value: number): string => String(value).padStart(5, '0');

/** Each kept token's text stays, ids and all, and texts of kept tokens are encoded alike. */
const checkTokenizer = async (t: ExecutionContext, model: string, out: string, {tokens}: Kept): Promise<void> => {
	const before = await readFile(join(model, 'tokenizer.json'), 'utf8').catch(() => undefined);
	const after = await readFile(join(out, 'tokenizer.json'), 'utf8').catch(() => undefined);
	if (before === undefined || after === undefined || tokens === undefined) {
		t.is(after, before, 'the tokenizer is carried over as it was');
		return;
	}

	const texts = tokensOf(before);
	t.deepEqual([...tokensOf(after), ...tokens.map(() => undefined)].slice(0, tokens.length), tokens.map(id => texts[id]), 'each token has the text that it had');
	const pruned = await encoded(after);
	t.deepEqual(pruned.map(ids => ids.map(id => tokens[id!])), await encoded(before), 'each text has the tokens that it had');
};

const encoded = async (tokenizerJson: string): Promise<ReadonlyArray<readonly (number | undefined)[]>> => {
	const tokenizer = Tokenizer.fromString(tokenizerJson);
	tokenizer.disablePadding();
	tokenizer.disableTruncation();
	const encodings = await tokenizer.encodeBatch([...corpusTexts]);
	return encodings.map(encoding => encoding.getIds());
};

const json = async (folder: string, name: string): Promise<Json> => JSON.parse(await readFile(join(folder, name), 'utf8')) as Json;
