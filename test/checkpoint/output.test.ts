import {readFile, mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {formatJson} from '../../ts/checkpoint/jsonformat.js';
import type {Keep} from '../../ts/checkpoint/keep.js';
import {planOutput, type OutputPlan, type SourcePiece} from '../../ts/checkpoint/output.js';
import {readCheckpoint} from '../../ts/checkpoint/read.js';
import {layoutOf} from '../../ts/families/layout.js';
import {picoCheckpoint, temporaryFolder, type Pico, type PicoOptions, type TestContext} from '../fixtures/pico.js';

const list = (...indices: readonly number[]): Uint32Array => Uint32Array.from(indices);
const sizes = {layers: 4, width: 6, ffnWidth: 5, queryHeads: 3, kvHeads: 1, headWidth: 2, vocabulary: 11} as const;

const plan = async ({dir}: Pico, keep: Keep, maxShardBytes = 1e9): Promise<OutputPlan> => {
	const checkpoint = await readCheckpoint(dir);
	return planOutput({checkpoint, layout: layoutOf(checkpoint), keep, maxShardBytes});
};

/** What the native writer does, in slow motion. */
const copyPiece = async ({path, begin, rows, columns, itemBytes, keepRows, keepColumns}: SourcePiece): Promise<Buffer> => {
	const data = await readFile(path);
	const all = (count: number): number[] => Array.from({length: count}, (_, index) => index);
	return Buffer.concat([...(keepRows ?? all(rows))].flatMap(row => [...(keepColumns ?? all(columns))].map(column => {
		const at = begin + (row * columns + column) * itemBytes;
		return data.subarray(at, at + itemBytes);
	})));
};

const carryOut = async (t: TestContext, {shards, index}: OutputPlan, config: unknown): Promise<string> => {
	const dir = join(await temporaryFolder(t), 'out');
	await mkdir(dir);
	for (const {file, header, tensors} of shards) {
		const data = await Promise.all(tensors.map(async ({piece}) => (piece === undefined ? Buffer.alloc(0) : copyPiece(piece))));
		await writeFile(join(dir, file), Buffer.concat([header, ...data]));
	}

	await writeFile(join(dir, 'config.json'), formatJson(config));
	if (index !== undefined) {
		await writeFile(join(dir, 'model.safetensors.index.json'), formatJson(index));
	}

	return dir;
};

const keepAll: Keep = {};
const keepSome: Keep = {tokens: list(0, 1, 2, 5, 10), layers: list(0, 3), neurons: [list(0, 2, 4), list(1, 2, 3)]};

const variants: ReadonlyArray<readonly [name: string, options: PicoOptions]> = [
	['qwen2 in F32', {family: 'qwen2'}],
	['qwen2 tied in BF16, 3 files', {family: 'qwen2', tied: true, dtype: 'BF16', shards: 3}],
	['llama with biases in F16', {family: 'llama', biases: true, dtype: 'F16'}],
	['mistral', {family: 'mistral', shards: 2}],
	['qwen3 tied with a stored head and biases', {family: 'qwen3', biases: true, tied: true, storeHead: true}],
];

for (const [name, options] of variants) {
	test(`keeping everything of ${name} gives the same tensors byte for byte`, async t => {
		const pico = await picoCheckpoint(t, {...sizes, ...options});
		const out = await carryOut(t, await plan(pico, keepAll), pico.config);
		const {tensors} = await readCheckpoint(out);
		t.is(tensors.size, pico.tensors.length);
		for (const {name: tensor, data, dtype, shape} of pico.tensors) {
			const entry = tensors.get(tensor)!;
			t.like(entry, {dtype, shape});
			t.true((await readFile(entry.path)).subarray(entry.begin, entry.begin + entry.bytes).equals(data));
		}
	});

	test(`a pruned ${name} holds the kept rows and columns under new layer numbers`, async t => {
		const pico = await picoCheckpoint(t, {...sizes, ...options});
		const config = {...pico.config, vocab_size: 5, num_hidden_layers: 2, intermediate_size: 3, layer_types: undefined};
		const out = await readCheckpoint(await carryOut(t, await plan(pico, keepSome, 900), config));
		t.notThrows(() => layoutOf(out));

		const source = (tensor: string): Pico['tensors'][number] => pico.tensors.find(entry => entry.name === tensor)!;
		const expectRows = async (tensor: string, from: string, rows: readonly number[], columns?: readonly number[]): Promise<void> => {
			const {shape: [height, width = 1], data} = source(from);
			const itemBytes = data.length / (height! * width);
			const wanted = rows.flatMap(row => (columns ?? Array.from({length: width}, (_, column) => column)).map(column => {
				const at = (row * width + column) * itemBytes;
				return data.subarray(at, at + itemBytes);
			}));
			const entry = out.tensors.get(tensor)!;
			t.deepEqual((await readFile(entry.path)).subarray(entry.begin, entry.begin + entry.bytes), Buffer.concat(wanted), tensor);
		};

		const tokens = [0, 1, 2, 5, 10];
		await expectRows('model.embed_tokens.weight', 'model.embed_tokens.weight', tokens);
		if (out.tensors.has('lm_head.weight')) {
			await expectRows('lm_head.weight', 'lm_head.weight', tokens);
		}

		await expectRows('model.layers.0.mlp.gate_proj.weight', 'model.layers.0.mlp.gate_proj.weight', [0, 2, 4]);
		await expectRows('model.layers.1.mlp.up_proj.weight', 'model.layers.3.mlp.up_proj.weight', [1, 2, 3]);
		await expectRows('model.layers.1.mlp.down_proj.weight', 'model.layers.3.mlp.down_proj.weight', [0, 1, 2, 3, 4, 5], [1, 2, 3]);
		await expectRows('model.layers.1.self_attn.k_proj.weight', 'model.layers.3.self_attn.k_proj.weight', [0, 1]);
		if (out.tensors.has('model.layers.1.mlp.up_proj.bias')) {
			await expectRows('model.layers.1.mlp.up_proj.bias', 'model.layers.3.mlp.up_proj.bias', [1, 2, 3]);
		}

		t.is([...out.tensors.keys()].filter(tensor => tensor.startsWith('model.layers.2.')).length, 0);
	});
}

test('tensors that the family does not know are copied, dropped and renumbered with their layer', async t => {
	const pico = await picoCheckpoint(t, {...sizes, extra: [
		{name: 'model.layers.3.extra.flags', dtype: 'BOOL', shape: [3], bytes: 3},
		{name: 'model.layers.2.extra.flags', dtype: 'BOOL', shape: [3], bytes: 3},
		{name: 'quality.head', dtype: 'I64', shape: [2, 2], bytes: 32},
		{name: 'packed', dtype: 'F4', shape: [6], bytes: 3},
		{name: 'empty', dtype: 'F32', shape: [0, 7], bytes: 0},
	]});
	const {shards} = await plan(pico, keepSome);
	const tensors = new Map(shards.flatMap(shard => shard.tensors).map(tensor => [tensor.name, tensor]));
	t.is(tensors.get('model.layers.1.extra.flags')?.sourceName, 'model.layers.3.extra.flags');
	t.false([...tensors.values()].some(({sourceName}) => sourceName === 'model.layers.2.extra.flags'));
	t.is(tensors.get('empty')?.piece, undefined);
	for (const name of ['quality.head', 'packed']) {
		const {dtype, shape, data} = pico.tensors.find(tensor => tensor.name === name)!;
		t.like(tensors.get(name), {dtype, shape});
		t.deepEqual(await copyPiece(tensors.get(name)!.piece!), Buffer.from(data));
	}
});

test('each tensor lies at a multiple of its element size, whatever dtypes the shard mixes', async t => {
	const pico = await picoCheckpoint(t, {...sizes, dtype: 'BF16', extra: [
		{name: 'a', dtype: 'U8', shape: [3], bytes: 3},
		{name: 'b', dtype: 'F64', shape: [1], bytes: 8},
		{name: 'c', dtype: 'F32', shape: [1], bytes: 4},
	]});
	const out = await readCheckpoint(await carryOut(t, await plan(pico, keepSome), {...pico.config}));
	for (const {name, begin, itemBits} of out.tensors.values()) {
		t.is(begin % (itemBits / 8), 0, name);
	}
});

for (const maxShardBytes of [1, 700, 1500, 4000, 1e9]) {
	test(`no shard passes ${maxShardBytes} bytes unless it is one tensor, and no two neighbours would fit in one`, async t => {
		const pico = await picoCheckpoint(t, {...sizes, shards: 2});
		const {shards, index, tensorBytes} = await plan(pico, keepAll, maxShardBytes);
		t.is(tensorBytes, pico.tensors.reduce((sum, {data}) => sum + data.length, 0));
		t.deepEqual(shards.flatMap(({tensors}) => tensors.map(({name}) => name)), pico.tensors.map(({name}) => name));
		for (const [place, shard] of shards.entries()) {
			t.true(shard.bytes <= maxShardBytes || shard.tensors.length === 1);
			t.is(shard.bytes, shard.header.length + shard.tensors.reduce((sum, {bytes}) => sum + bytes, 0));
			// 90 bytes of slack: offsets are assumed to be as long as they can get.
			const next = shards[place + 1]?.tensors[0];
			t.true(next === undefined || shard.bytes + next.bytes + next.name.length + 90 * (shard.tensors.length + 1) > maxShardBytes);
		}

		if (shards.length === 1) {
			t.is(shards[0]!.file, 'model.safetensors');
			t.is(index, undefined);
		} else {
			const digits = String(shards.length).padStart(5, '0');
			t.is(shards.at(-1)!.file, `model-${digits}-of-${digits}.safetensors`);
			t.deepEqual(index!['metadata'], {total_size: tensorBytes});
			const names = Object.keys(index!['weight_map'] as object);
			t.deepEqual(names, [...names].sort());
			t.is(names.length, pico.tensors.length);
		}
	});
}

test('the same plan gives the same header bytes, with the source\'s metadata and format pt', async t => {
	const pico = await picoCheckpoint(t, sizes);
	const [first, second] = [await plan(pico, keepSome), await plan(pico, keepSome)];
	t.deepEqual(first, second);
	const header = JSON.parse(Buffer.from(first.shards[0]!.header.subarray(8)).toString()) as {__metadata__: unknown};
	t.deepEqual(header.__metadata__, {format: 'pt'});
});

const badKeeps: ReadonlyArray<readonly [what: string, keep: Keep, message: RegExp]> = [
	['no token', {tokens: list()}, /^tokens: expected at least one to stay/],
	['tokens out of order', {tokens: list(3, 2)}, /^tokens: expected ascending indices, got 2 after 3$/],
	['a token twice', {tokens: list(3, 3)}, /^tokens: expected ascending indices, got 3 after 3$/],
	['a token past the end', {tokens: list(3, 11)}, /^tokens: expected indices from 0 to 10, got 11$/],
	['a layer past the end', {layers: list(0, 4)}, /^layers: expected indices from 0 to 3, got 4$/],
	['neurons for more layers than stay', {layers: list(0), neurons: [list(0), list(0)]}, /^neurons: expected a list for each of the 1 layers that stay, got 2$/],
	['a neuron past the end', {layers: list(2), neurons: [list(5)]}, /^neurons of layer 0 \(after pruning\): expected indices from 0 to 4, got 5$/],
	['other widths in other layers', {layers: list(2, 3), neurons: [list(0, 1), list(0)]}, /^neurons: expected the same number in every layer, got 2 in layer 0 and 1 in layer 1/],
];

for (const [what, keep, message] of badKeeps) {
	test(`refuses to keep ${what}`, async t => {
		const pico = await picoCheckpoint(t, sizes);
		await t.throwsAsync(plan(pico, keep), {code: 'ERR_BAD_PLAN', message});
	});
}
