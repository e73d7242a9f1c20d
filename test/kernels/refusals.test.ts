// What the kernels refuse: the code, the sentence, what to do, and the tensor that it is about.

import {join} from 'node:path';
import test from 'ava';
import {FlabError, klDivergence, neuronScores, openCheckpoint, sliceColumns, sliceRows, topK} from '../../ts/index.js';
import {packageRoot} from '../../ts/native/root.js';

/** Values that TypeScript would not let pass. */
const wrong = (value: unknown): never => value as never;

const six = () => new Float32Array(6);
const matrix = {data: six(), shape: [2, 3]};
const activations = {data: six(), shape: [3, 2]};

/** Float32 memory that went to another thread. */
const transferred = (): Float32Array => {
	const data = six();
	structuredClone(data.buffer, {transfer: [data.buffer]});
	return data;
};

type Refusal = readonly [what: string, call: () => Promise<unknown>, message: string, hint?: RegExp];

const matrices: readonly Refusal[] = [
	['no matrix', async () => sliceRows(wrong(undefined), [0]), 'matrix: expected an object with data and shape, got undefined', /shape: \[rows, columns]/],
	['an array instead of a matrix', async () => sliceRows(wrong(six()), [0]), 'matrix: expected an object with data and shape, got a Float32Array of 6', /shape: \[rows, columns]/],
	['a matrix without a shape', async () => sliceRows(wrong({data: six()}), [0]), 'matrix.shape: expected [rows, columns] or [rows], got undefined'],
	['a shape that is no list', async () => sliceRows(wrong({data: six(), shape: {rows: 2}}), [0]), 'matrix.shape: expected [rows, columns] or [rows], got an Object'],
	['a shape of three sizes', async () => sliceRows({data: six(), shape: [1, 2, 3]}, [0]), 'matrix.shape: expected [rows, columns] or [rows], got [1,2,3]'],
	['a matrix without data', async () => sliceRows(wrong({shape: [2, 3]}), [0]), 'matrix.data: expected a typed array, got undefined'],
	['a DataView', async () => sliceRows(wrong({data: new DataView(new ArrayBuffer(8)), shape: [2]}), [0]), 'matrix.data: expected a typed array, got a DataView'],
	['data that does not fill its shape', async () => klDivergence({data: new Float32Array(5), shape: [2, 3]}, matrix), 'p.data: expected 6 elements for the shape [2, 3], got 5'],
	['bytes of a part of an element', async () => sliceRows({data: Buffer.alloc(31), dtype: 'F32', shape: [8, 1]}, [0]), 'matrix.data: expected 32 bytes, 8 elements of F32 for the shape [8, 1], got 31 bytes'],
	['bytes without a dtype', async () => klDivergence({data: Buffer.alloc(24), shape: [2, 3]}, matrix), 'p.dtype: expected one of F32, BF16, F16, whichever a Buffer of 24 holds, got undefined', /dtype: 'BF16'/],
	['bytes without a dtype, to be sliced', async () => sliceRows({data: Buffer.alloc(24), shape: [2, 3]}, [0]), 'matrix.data: expected 6 elements for the shape [2, 3], got 24', /dtype: 'BF16'/],
	['16-bit data without a dtype', async () => klDivergence({data: new Uint16Array(6), shape: [2, 3]}, matrix), 'p.dtype: expected one of BF16, F16, whichever a Uint16Array of 6 holds, got undefined', /dtype: 'BF16'/],
	['whole numbers', async () => klDivergence(wrong({data: new Int32Array(6), shape: [2, 3]}), matrix), 'p: expected a matrix of F32, BF16, F16, got an Int32Array of 6', /Float32Array holds F32/],
	['doubles as logits', async () => klDivergence(wrong({data: new Float64Array(6), shape: [2, 3]}), matrix), 'p: expected a matrix of F32, BF16, F16, got a Float64Array of 6'],
	['a dtype that the array does not hold', async () => klDivergence({...matrix, dtype: 'BF16'}, matrix), 'p: expected a matrix of F32, BF16, F16, got a Float32Array of 6 with dtype "BF16"'],
	['a dtype that there is not', async () => klDivergence({data: Buffer.alloc(24), dtype: 'float32', shape: [2, 3]}, matrix), 'p: expected a matrix of F32, BF16, F16, got a Buffer of 24 with dtype "float32"'],
	['memory that was transferred', async () => klDivergence(matrix, {data: transferred(), shape: [2, 3]}), 'q.data: expected memory of this thread, got an array whose memory was transferred or detached', /before it is transferred/],
	['memory that may shrink', async () => {
		const Resizable = ArrayBuffer as unknown as new (bytes: number, options: {maxByteLength: number}) => ArrayBuffer;
		return topK(new Float64Array(new Resizable(16, {maxByteLength: 32})), 1);
	}, 'scores.data: expected memory of a fixed size, got a resizable ArrayBuffer', /slice\(\)/],
	['shapes that differ', async () => klDivergence(matrix, activations), 'q.shape: expected [2, 3] as p has, got [3,2]', /Slice the larger one/],
	['a vector of columns', async () => sliceColumns({data: six(), shape: [6]}, [0]), 'matrix.shape: expected [rows, columns], got [6]'],
];

const keeps: readonly Refusal[] = [
	['rows that descend', async () => sliceRows(activations, [2, 1]), 'keep: expected ascending indices from 0 to 2, got 1 at place 1', /^Sort/],
	['a row twice', async () => sliceRows(activations, [1, 1]), 'keep: expected ascending indices from 0 to 2, got 1 at place 1', /doubles/],
	['rows that do not exist', async () => sliceRows(activations, [3]), 'keep: expected ascending indices from 0 to 2, got 3 at place 0', /has 3 rows/],
	['columns that do not exist', async () => sliceColumns(activations, Uint32Array.of(0, 2)), 'keep: expected ascending indices from 0 to 1, got 2 at place 1', /has 2 columns/],
	['rows of nothing', async () => sliceRows({data: new Float32Array(0), shape: [0, 3]}, [0]), 'keep: expected no index, as there are no rows, got 0 at place 0'],
	['indices as texts', async () => sliceRows(activations, wrong(['0'])), 'keep: expected ascending indices from 0 to 2, got "0" at place 0'],
	['indices of half a row', async () => sliceRows(activations, [0.5]), 'keep: expected ascending indices from 0 to 2, got 0.5 at place 0'],
	['indices in a text', async () => sliceRows(activations, wrong('01')), 'keep: expected a Uint32Array or an array of indices, got "01"', /\[0, 2]/],
	['indices in floats', async () => sliceRows(activations, wrong(Float32Array.of(0, 1))), 'keep: expected a Uint32Array or an array of indices, got a Float32Array of 2'],
	['indices with signs', async () => sliceRows(activations, wrong(Int32Array.of(0, 1))), 'keep: expected a Uint32Array or an array of indices, got an Int32Array of 2'],
	['no indices', async () => sliceColumns(activations, wrong(undefined)), 'keep: expected a Uint32Array or an array of indices, got undefined', /columns that stay/],
];

const outputs: readonly Refusal[] = [
	['an out of another size', async () => sliceColumns(activations, [0], {out: new Float32Array(2)}), 'out: expected a Float32Array of 3, or 12 bytes that begin at a multiple of 4 in their ArrayBuffer, got a Float32Array of 2', /new Float32Array\(3\)/],
	['an out of another kind', async () => topK(Float64Array.of(1, 2), 1, {out: wrong(new Float64Array(1))}), 'out: expected a Uint32Array of 1, or 4 bytes that begin at a multiple of 4 in their ArrayBuffer, got a Float64Array of 1'],
	['an out of divergences that is too long', async () => klDivergence(matrix, matrix, {out: new Float64Array(3)}), 'out: expected a Float64Array of 2, or 16 bytes that begin at a multiple of 8 in their ArrayBuffer, got a Float64Array of 3'],
	['bytes as out that are too few', async () => klDivergence(matrix, matrix, {out: Buffer.alloc(15)}), 'out: expected a Float64Array of 2, or 16 bytes that begin at a multiple of 8 in their ArrayBuffer, got a Buffer of 15'],
	['bytes as out that lie askew', async () => klDivergence(matrix, matrix, {out: Buffer.alloc(20).subarray(4)}), 'out: expected a Float64Array of 2, or 16 bytes that begin at a multiple of 8 in their ArrayBuffer, got a Buffer of 16 that begins at 4'],
	['an out of bytes of another number', async () => sliceRows({data: Buffer.alloc(24), dtype: 'F32', shape: [2, 3]}, [0], {out: new Uint8Array(13)}), 'out: expected a Uint8Array of 12, got a Uint8Array of 13'],
	['an out that is no memory', async () => topK(six(), 1, {out: wrong([0])}), 'out: expected a Uint32Array of 1, or 4 bytes that begin at a multiple of 4 in their ArrayBuffer, got [0]'],
	['an out that was transferred', async () => sliceRows(matrix, [0, 1], {out: transferred()}), 'out: expected memory of this thread, got an array whose memory was transferred or detached'],
	['an out that overlaps', async () => {
		const data = six();
		return sliceColumns({data, shape: [3, 2]}, [0], {out: data.subarray(0, 3)});
	}, 'out: expected memory that does not overlap matrix', /memory of its own/],
	['an out of neurons that overlaps their activations', async () => {
		const buffer = new ArrayBuffer(24);
		return neuronScores({metric: 'activation', activations: {data: new Float32Array(buffer), shape: [2, 3]}}, {out: new Float64Array(buffer)});
	}, 'out: expected memory that does not overlap activations'],
	['an out of divergences that overlaps the candidate', async () => {
		const buffer = new ArrayBuffer(24);
		return klDivergence(matrix, {data: new Float32Array(buffer), shape: [2, 3]}, {out: new Float64Array(buffer, 8)});
	}, 'out: expected memory that does not overlap q'],
	['an out of indices that overlaps the scores', async () => {
		const scores = new Float32Array(4);
		return topK(scores, 2, {out: new Uint32Array(scores.buffer, 8)});
	}, 'out: expected memory that does not overlap scores'],
];

const options: readonly Refusal[] = [
	['no options', async () => klDivergence(matrix, matrix, wrong(null)), 'options: expected an object with signal, threads or out, got null'],
	['an option with a slip', async () => topK(six(), 1, wrong({ot: new Uint32Array(1)})), 'ot: expected no such name (did you mean out?), got a Uint32Array of 1'],
	['an option in other letters', async () => sliceRows(matrix, [0], wrong({Threads: 1})), 'Threads: expected no such name (did you mean threads?), got 1'],
	['an option that there is not', async () => sliceColumns(matrix, [0], wrong({onProgress() {}})), 'onProgress: expected no such name, got a function'],
	['no thread', async () => topK(six(), 1, {threads: 0}), 'threads: expected a whole number of at least 1, got 0'],
	['a signal that is none', async () => topK(six(), 1, {signal: wrong('soon')}), 'signal: expected an AbortSignal, got "soon"'],
	['no input', async () => neuronScores(wrong(undefined)), 'input: expected an object with metric and the matrices that it needs, got undefined'],
	['an input that there is not', async () => neuronScores(wrong({metric: 'activation', activation: activations, activations})), 'activation: expected no such name (did you mean activations?), got an Object'],
	['an unknown metric', async () => neuronScores(wrong({metric: 'size'})), 'metric: expected one of magnitude, activation, wanda, fluctuation, got "size"'],
	['wanda without down', async () => neuronScores({metric: 'wanda', activations}), 'down: expected a matrix, as wanda needs it, got undefined', /weight of down_proj/],
	['matrices of different neurons', async () => neuronScores({metric: 'wanda', activations, down: matrix}), 'down: expected 2 neurons as activations has, got 3'],
	['NaN among scores', async () => topK(Float64Array.of(1, Number.NaN), 1), 'scores: expected numbers, got NaN in row 0'],
	['more than there are', async () => topK(Float64Array.of(1, 2), 3), 'count: expected a whole number from 0 to 2, got 3'],
	['no count', async () => topK(Float64Array.of(1, 2), wrong(undefined)), 'count: expected a whole number from 0 to 2, got undefined'],
	['no scores', async () => topK(wrong(undefined), 1), 'scores: expected an object with data and shape, got undefined'],
];

for (const [what, call, message, hint] of [...matrices, ...keeps, ...outputs, ...options]) {
	test(`refuses ${what}`, async t => {
		const error = await t.throwsAsync(call, {instanceOf: FlabError, code: 'ERR_BAD_ARGUMENT', message}) as FlabError;
		t.is(error.tensor, undefined);
		if (hint) {
			t.regex(error.hint ?? '', hint);
		}
	});
}

test('an error about a tensor of a checkpoint names it, whoever finds it', async t => {
	using checkpoint = await openCheckpoint(join(packageRoot, 'examples/tiny-coder'));
	const [name, other] = ['model.embed_tokens.weight', 'model.layers.0.mlp.down_proj.weight'];
	const [tensor, down] = [checkpoint.tensor(name), checkpoint.tensor(other)];
	const {data, shape} = tensor as {data: Uint16Array; shape: readonly number[]};
	const calls: ReadonlyArray<readonly [call: () => Promise<unknown>, tensor: string, message: RegExp]> = [
		[async () => klDivergence(wrong(tensor), wrong(down)), other, /^q\.shape: expected \[.*] as p has, got \[.*] \(tensor model\.layers\.0\.mlp\.down_proj\.weight\)$/],
		[async () => sliceRows({...tensor, shape: [1, 2]}, [0]), name, /^matrix\.data: expected 2 elements for the shape \[1, 2], got \d+ \(tensor model\.embed_tokens\.weight\)$/],
		[async () => sliceRows(tensor, [0], {out: data.subarray(0, shape[1])}), name, /^out: expected memory that does not overlap matrix \(tensor model\.embed_tokens\.weight\)$/],
		[async () => neuronScores({metric: 'wanda', activations, down: wrong(down)}), other, /^down: expected 2 neurons as activations has, got \d+ \(tensor /],
		[async () => topK({name: 'mine', data: Float32Array.of(1, Number.NaN), shape: [1, 2]}, 1), 'mine', /^scores: expected numbers, got NaN in row 0 \(tensor mine\)$/],
	];
	for (const [call, about, message] of calls) {
		t.is((await t.throwsAsync(call, {code: 'ERR_BAD_ARGUMENT', message}) as FlabError).tensor, about);
	}
});
