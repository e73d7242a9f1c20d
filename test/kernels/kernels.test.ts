import {join} from 'node:path';
import test from 'ava';
import {klDivergence, neuronScores, openCheckpoint, sliceColumns, sliceRows, topK} from '../../ts/index.js';
import {readHeader} from '../../ts/checkpoint/safetensors.js';
import {mapFile} from '../../ts/native/jobs.js';
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

const refusals: ReadonlyArray<readonly [string, () => Promise<unknown>, RegExp]> = [
	['shapes that differ', async () => klDivergence({data: new Float32Array(6), shape: [2, 3]}, {data: new Float32Array(6), shape: [3, 2]}), /^q\.shape: expected \[2, 3] as p has, got \[3,2]$/],
	['data that does not fill its shape', async () => klDivergence({data: new Float32Array(5), shape: [2, 3]}, {data: new Float32Array(6), shape: [2, 3]}), /^p\.data: expected 6 elements for the shape \[2, 3], got 5$/],
	['16-bit data without a dtype', async () => klDivergence({data: new Uint16Array(2), shape: [1, 2]}, {data: new Float32Array(2), shape: [1, 2]}), /^p: expected a Float32Array, or a Uint16Array with dtype BF16 or F16, got a Uint16Array$/],
	['rows that descend', async () => sliceRows({data: new Float32Array(6), shape: [3, 2]}, [2, 1]), /^keep: expected ascending indices from 0 to 2, got "1 at place 1"$/],
	['rows that do not exist', async () => sliceRows({data: new Float32Array(6), shape: [3, 2]}, [3]), /^keep: expected ascending indices from 0 to 2, got "3 at place 0"$/],
	['an out of another size', async () => sliceColumns({data: new Float32Array(6), shape: [3, 2]}, [0], {out: new Float32Array(2)}), /^out: expected a Float32Array of 3 elements, got "a Float32Array of 2"$/],
	['an out that overlaps', async () => {
		const data = new Float32Array(6);
		return sliceColumns({data, shape: [3, 2]}, [0], {out: data.subarray(0, 3)});
	}, /^out: expected memory that does not overlap data$/],
	['wanda without down', async () => neuronScores({metric: 'wanda', activations: {data: new Float32Array(6), shape: [3, 2]}}), /^down: expected a matrix, as wanda needs it, got undefined$/],
	['NaN among scores', async () => topK(Float64Array.of(1, Number.NaN), 1), /^scores: expected numbers, got NaN in row 0$/],
	['more than there are', async () => topK(Float64Array.of(1, 2), 3), /^count: expected a whole number from 0 to 2, got 3$/],
];
for (const [what, call, message] of refusals) {
	test(`refuses ${what}`, async t => {
		await t.throwsAsync(call, {code: 'ERR_BAD_ARGUMENT', message});
	});
}

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
