import {mkdtemp, rm, truncate, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {klDivergence, neuronScores, openCheckpoint, sliceColumns, sliceRows, topK} from '../../ts/index.js';
import type {MappedTensor} from '../../ts/index.js';
import {readHeader} from '../../ts/checkpoint/safetensors.js';
import {mapFile} from '../../ts/native/jobs.js';
import {loadNative} from '../../ts/native/load.js';
import {packageRoot} from '../../ts/native/root.js';
import {readReference} from '../native/reference.js';

const klFile = join(packageRoot, 'test/fixtures/kl.safetensors');

test('klDivergence is that of PyTorch in float64, down to 1e-8', async t => {
	const reference = await readReference(klFile);
	const header = await readHeader(klFile);
	const file = mapFile(klFile);
	const matrix = (name: string) => {
		const {begin, bytes, dtype, shape} = header.tensors.find(tensor => tensor.name === name)!;
		const buffer = file.view(begin, begin + bytes).slice(0);
		return {data: dtype === 'F32' ? new Float32Array(buffer) : new Uint16Array(buffer), dtype, shape};
	};

	const cases = reference.names.filter(name => name.startsWith('kl.')).map(name => name.slice(3));
	t.true(cases.length >= 10);
	for (const name of cases) {
		const got = await klDivergence(matrix(`p.${name}`), matrix(`q.${name}`));
		for (const [row, expected] of reference.values(`kl.${name}`).entries()) {
			const isClose = Math.abs(got[row]! - expected) <= 1e-5 * expected + 1e-12 || got[row] === expected;
			t.true(isClose, `case ${name}, row ${row}: ${got[row]}, expected ${expected}`);
		}
	}
});

/** KL of two rows in doubles, straightforwardly. */
const slowDivergence = (p: readonly number[], q: readonly number[]): number => {
	const normaliser = (logits: readonly number[]) => {
		const max = Math.max(...logits);
		return max + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - max), 0));
	};

	const [zp, zq] = [normaliser(p), normaliser(q)];
	return p.reduce((sum, logit, i) => sum + (logit === Number.NEGATIVE_INFINITY ? 0 : Math.exp(logit - zp) * ((logit - zp) - (q[i]! - zq))), 0);
};

for (const columns of [1, 2, 15, 16, 17, 2047, 2048, 2049, 5001]) {
	test(`klDivergence of ${columns} logits a row, also when candidates are far off`, async t => {
		const value = (i: number, scale: number) => Math.fround(Math.sin(i * 12.9898 + 4) * scale);
		const p = Float32Array.from({length: 3 * columns}, (_, i) => value(i, 8));
		const q = Float32Array.from({length: 3 * columns}, (_, i) => Math.fround(p[i]! + value(i * 7 + 1, [0.5, 5, 150][Math.floor(i / columns)]!)));
		const got = await klDivergence({data: p, shape: [3, columns]}, {data: q, shape: [3, columns]});
		for (let row = 0; row < 3; row++) {
			const expected = slowDivergence([...p.subarray(row * columns, (row + 1) * columns)], [...q.subarray(row * columns, (row + 1) * columns)]);
			t.true(Math.abs(got[row]! - expected) <= 1e-5 * expected + 1e-12, `${got[row]}, expected ${expected}`);
		}
	});
}

test('klDivergence is infinite where only the candidate excludes a token, and ignores tokens that the reference excludes', async t => {
	const shape = [1, 3];
	const all = Float32Array.of(1, 2, 3);
	const some = Float32Array.of(1, Number.NEGATIVE_INFINITY, 3);
	t.deepEqual([...await klDivergence({data: all, shape}, {data: some, shape})], [Number.POSITIVE_INFINITY]);
	t.true(Math.abs((await klDivergence({data: some, shape}, {data: all, shape}))[0]! - slowDivergence([...some], [...all])) < 1e-12);
	t.deepEqual([...await klDivergence({data: Float32Array.of(1, Number.NaN, 3), shape}, {data: all, shape})], [Number.NaN]);
});

for (const [kind, make] of Object.entries({
	bytes: (n: number) => Uint8Array.from({length: n}, (_, i) => i * 37),
	bf16: (n: number) => Uint16Array.from({length: n}, (_, i) => i * 977),
	f32: (n: number) => Float32Array.from({length: n}, (_, i) => i / 3),
	f64: (n: number) => Float64Array.from({length: n}, (_, i) => i / 7),
})) {
	for (const keep of [[], [0], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [0, 2, 5, 11], [12]]) {
		test(`slices ${kind} by [${keep.join(', ')}]`, async t => {
			const [rows, columns] = [13, 13];
			const data = make(rows * columns);
			const kept = new Set(keep);
			const byRows = await sliceRows({data, shape: [rows, columns]}, keep);
			const byColumns = await sliceColumns({data, shape: [rows, columns]}, keep);
			t.deepEqual(byRows.shape, [keep.length, columns]);
			t.deepEqual([...byRows.data], [...data].filter((_, i) => kept.has(Math.floor(i / columns))));
			t.deepEqual(byColumns.shape, [rows, keep.length]);
			t.deepEqual([...byColumns.data], [...data].filter((_, i) => kept.has(i % columns)));
		});
	}
}

test('slices into memory of the caller, shared memory included', async t => {
	const data = new Float32Array(new SharedArrayBuffer(24));
	data.set([1, 2, 3, 4, 5, 6]);
	const out = new Float32Array(new SharedArrayBuffer(12));
	const sliced = await sliceColumns({data, shape: [3, 2]}, [1], {out});
	t.is(sliced.data, out);
	t.deepEqual([...out], [2, 4, 6]);
});

test('topK keeps the largest, ascending, ties to the lower index', async t => {
	t.deepEqual([...await topK(Float64Array.of(1, 5, 5, 5, 0, 7), 3)], [1, 2, 5]);
	t.deepEqual([...await topK({data: Float32Array.of(3, 1, 2, 1, 1, 1), shape: [2, 3]}, 2)], [0, 2, 0, 1]);
	t.deepEqual([...await topK(Float64Array.of(), 0)], []);
});

/** Whole numbers, which bf16 and f16 hold exactly, in no order. */
const floats = Float32Array.from({length: 40}, (_, i) => ((i * 17) % 40) - 20);
const bf16 = Uint16Array.from(new Uint32Array(floats.buffer), bits => bits >>> 16);
const f16 = Uint16Array.from(floats, value => {
	const exponent = value === 0 ? -15 : Math.floor(Math.log2(Math.abs(value)));
	const mantissa = value === 0 ? 0 : ((Math.abs(value) / (2 ** exponent)) - 1) * 1024;
	return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | mantissa;
});

for (const [dtype, data] of Object.entries({F32: floats, F64: Float64Array.from(floats), BF16: bf16, F16: f16})) {
	test(`topK of ${dtype} is that of f32, as elements and as bytes at any offset`, async t => {
		const expected = await topK({data: floats, shape: [4, 10]}, 3);
		t.deepEqual(await topK({data, dtype, shape: [4, 10]}, 3), expected);
		for (const offset of [0, 1, 3]) {
			const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(data.buffer)]).subarray(offset);
			t.deepEqual(await topK({data: bytes, dtype, shape: [4, 10]}, 3), expected);
		}
	});
}

test('topK takes a tensor of a checkpoint as it lies in its file', async t => {
	using checkpoint = await openCheckpoint(join(packageRoot, 'examples/tiny-coder'));
	const tensor = checkpoint.tensor('model.embed_tokens.weight') as MappedTensor & {readonly data: Uint16Array};
	const [rows, columns] = tensor.shape as [number, number];
	const wide = new Float32Array(Uint32Array.from(tensor.data, bits => bits << 16).buffer);
	t.is(tensor.dtype, 'BF16');
	t.deepEqual(await topK(tensor, 5), await topK({data: wide, shape: [rows, columns]}, 5));
});

test('results go into bytes of the caller too, and are seen as what they are', async t => {
	const p = {data: floats, shape: [4, 10]};
	const buffer = Buffer.from(new SharedArrayBuffer(200));
	const divergences = await klDivergence(p, {data: floats.map(value => value / 2), shape: [4, 10]}, {out: buffer.subarray(8, 40)});
	const indices = await topK(p, 2, {out: buffer.subarray(40, 72)});
	const scores = await neuronScores({metric: 'activation', activations: p}, {out: buffer.subarray(72, 152)});
	const slice = await sliceColumns(p, [1, 2], {out: buffer.subarray(152, 184)});
	t.deepEqual([divergences, indices, scores, slice.data].map(({buffer: memory, byteOffset, constructor}) => [memory === buffer.buffer, byteOffset, constructor.name]), [
		[true, 8, 'Float64Array'], [true, 40, 'Uint32Array'], [true, 72, 'Float64Array'], [true, 152, 'Float32Array'],
	]);
	t.deepEqual([...divergences], [...await klDivergence(p, {data: floats.map(value => value / 2), shape: [4, 10]})]);
	t.deepEqual([...indices], [...await topK(p, 2)]);
	t.deepEqual([...scores], [...await neuronScores({metric: 'activation', activations: p})]);
	t.deepEqual([...slice.data], [...(await sliceColumns(p, [1, 2])).data]);
});

test('neuronScores follow their formulas', async t => {
	const activations = {data: Float32Array.of(1, -2, 0, 3, 4, 0), shape: [2, 3]};
	const down = {data: Float32Array.of(1, 0, 2, 2, 3, 0), shape: [2, 3]};
	const gate = {data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [3, 2]};
	const close = (got: Float64Array, expected: readonly number[]) => {
		t.true(got.length === expected.length && expected.every((value, i) => Math.abs(got[i]! - value) <= 1e-12 * value), `${got.join(', ')}; expected ${expected.join(', ')}`);
	};

	close(await neuronScores({metric: 'activation', activations}), [2, 3, 0]);
	close(await neuronScores({metric: 'wanda', activations, down}), [Math.sqrt(10 * 5), Math.sqrt(20 * 9), 0]);
	close(await neuronScores({metric: 'fluctuation', activations, down}), [1 * 5, 9 * 9, 0]);
	close(await neuronScores({metric: 'magnitude', gate, up: gate, down}), [Math.sqrt(5 + 5 + 5), Math.sqrt(25 + 25 + 9), Math.sqrt(61 + 61 + 4)]);
});

test('tensors of a checkpoint are its memory: views agree, and writing to one leaves the file alone', async t => {
	const dir = join(packageRoot, 'test/fixtures/models/llama-bf16-sharded');
	const checkpoint = await openCheckpoint(dir);
	const first = checkpoint.tensor('model.embed_tokens.weight');
	const again = checkpoint.tensor('model.embed_tokens.weight');
	t.is(first.dtype, 'BF16');
	t.true(first.data instanceof Uint16Array);
	t.deepEqual(first.data, again.data);
	const before = first.data[0];
	(first.data as Uint16Array)[0] = 12_345;
	t.is((await openCheckpoint(dir)).tensor('model.embed_tokens.weight').data[0], before);
	t.throws(() => checkpoint.tensor('nothing'), {code: 'ERR_BAD_ARGUMENT', message: 'name: expected the name of a tensor of the checkpoint, got "nothing"'});
	const sliced = await sliceRows(first, [1, 3]);
	t.deepEqual(sliced.shape, [2, first.shape[1]!]);
});

test('a call whose signal has fired is refused as cancelled', async t => {
	await t.throwsAsync(sliceRows({data: new Float32Array(6), shape: [3, 2]}, [0], {signal: AbortSignal.abort('enough')}), {code: 'ERR_ABORTED'});
});

test('results go into memory of the caller, and are the same', async t => {
	const p = {data: Float32Array.from({length: 40}, (_, i) => Math.sin(i)), shape: [4, 10]};
	const q = {data: Float32Array.from({length: 40}, (_, i) => Math.cos(i)), shape: [4, 10]};
	const shared = new Float64Array(new SharedArrayBuffer(100), 8, 4);
	t.is(await klDivergence(p, q, {out: shared}), shared);
	t.deepEqual([...shared], [...await klDivergence(p, q)]);
	const indices = new Uint32Array(8);
	t.is(await topK(p, 2, {out: indices}), indices);
	t.deepEqual(indices, await topK(p, 2));
	const scores = new Float64Array(10);
	t.is(await neuronScores({metric: 'activation', activations: p}, {out: scores}), scores);
	t.deepEqual(scores, await neuronScores({metric: 'activation', activations: p}));
});

for (const offset of [0, 1, 3]) {
	test(`bytes in a Buffer, ${offset} bytes off, count as the elements that they are`, async t => {
		const floats = Float32Array.from({length: 6}, (_, i) => Math.sin(i) * 3);
		const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(floats.buffer)]).subarray(offset);
		const [asFloats, asBytes] = [{data: floats, shape: [2, 3]}, {data: bytes, dtype: 'F32', shape: [2, 3]}];
		const other = {data: new Float32Array(6), shape: [2, 3]};
		t.deepEqual(await klDivergence(asBytes, other), await klDivergence(asFloats, other));
		t.deepEqual(await neuronScores({metric: 'activation', activations: asBytes}), await neuronScores({metric: 'activation', activations: asFloats}));
		const rows = await sliceRows(asBytes, [1]);
		const columns = await sliceColumns(asBytes, [0, 2], {out: Buffer.alloc(16)});
		t.true(Buffer.isBuffer(rows.data));
		t.deepEqual([rows.dtype, rows.shape, columns.shape], ['F32', [1, 3], [2, 2]]);
		t.deepEqual([...new Float32Array(Uint8Array.from(rows.data).buffer)], [...floats.subarray(3)]);
		t.deepEqual([...new Float32Array(Uint8Array.from(columns.data).buffer)], [...floats].filter((_, i) => i % 3 !== 1));
	});
}

test('many calls at once with different threads give what they give alone', async t => {
	const p = {data: Float32Array.from({length: 64_000}, (_, i) => Math.sin(i)), shape: [64, 1000]};
	const q = {data: Float32Array.from({length: 64_000}, (_, i) => Math.cos(i)), shape: [64, 1000]};
	const alone = await klDivergence(p, q);
	const many = await Promise.all(Array.from({length: 24}, async (_, i) => klDivergence(p, q, i % 3 === 0 ? {} : {threads: i % 3})));
	t.true(many.every(got => got.every((value, row) => value === alone[row])));
});

test('a checkpoint that is closed gives no more tensors, and its memory reads the file again', async t => {
	const dir = join(packageRoot, 'test/fixtures/models/llama-bf16-sharded');
	const checkpoint = await openCheckpoint(dir);
	const tensor = checkpoint.tensor('model.embed_tokens.weight');
	const data = tensor.data as Uint16Array;
	const original = [...data];
	data.fill(7);
	checkpoint[Symbol.dispose]();
	t.deepEqual([...data], original);
	t.throws(() => checkpoint.tensor('model.embed_tokens.weight'), {code: 'ERR_BAD_ARGUMENT', message: 'checkpoint: expected one that is open, got one that was closed'});
	checkpoint.close();
	await checkpoint[Symbol.asyncDispose]();
});

test('closing a checkpoint gives its memory back at once, though its data is still held', async t => {
	const dir = await mkdtemp(join(tmpdir(), 'flab-close-'));
	t.teardown(async () => rm(dir, {recursive: true}));
	const bytes = 96 << 20;
	const header = Buffer.from(JSON.stringify({big: {dtype: 'U8', shape: [bytes], data_offsets: [0, bytes]}}).padEnd(120));
	await writeFile(join(dir, 'model.safetensors'), Buffer.concat([Buffer.from(BigUint64Array.of(120n).buffer), header]));
	await truncate(join(dir, 'model.safetensors'), 128 + bytes);
	await writeFile(join(dir, 'config.json'), '{}');
	const checkpoint = await openCheckpoint(dir);
	const data = checkpoint.tensor('big').data as Uint8Array;
	for (let place = 0; place < bytes; place += 4096) {
		data[place] = 1;
	}

	const before = loadNative().resources().residentBytes;
	checkpoint.close();
	const given = before - loadNative().resources().residentBytes;
	t.true(given > bytes / 2, `${given} bytes were given back`);
	t.is(data[0], 0);
});

test('`using` is at home here: a tensor whose block ends gives its whole pages back', async t => {
	const dir = join(packageRoot, 'examples/tiny-coder');
	await using checkpoint = await openCheckpoint(dir);
	let data: Uint16Array;
	let inner: number;
	{
		using tensor = checkpoint.tensor('model.embed_tokens.weight');
		data = tensor.data as Uint16Array;
		inner = data[data.length / 2]!;
		data[data.length / 2] = inner + 1;
	}

	t.is(data[data.length / 2], inner);
	t.deepEqual(Object.keys(await sliceRows(checkpoint.tensor('model.embed_tokens.weight'), [0])).sort(), ['data', 'dtype', 'shape']);
});
