import {withCaller} from '../caller.js';
import {badArgument} from '../errors.js';
import {runJob} from '../native/jobs.js';
import {loadNative} from '../native/load.js';
import {floatMatrix, halvesAndFloats} from './floats.js';
import type {Matrix} from './matrix.js';
import {kernelChecks} from './options.js';
import type {KernelOptions} from './options.js';
import {outputOf} from './output.js';
import {namingTensors} from './tensors.js';

/** How the largest are found. */
export type TopKOptions = KernelOptions & {
	/** [rows, count] memory for the result, which may not overlap the scores, or its bytes at a multiple of 4; without it, new memory is taken. */
	readonly out?: Uint32Array | Uint8Array;
};

/** Scores: a row of f32 or f64, or a matrix [rows, columns] of f32, f64, bf16 or f16, or of the bytes of these with `dtype`. */
export type Scores = Float32Array | Float64Array | Matrix<Float32Array | Float64Array | Uint16Array | Uint8Array>;

const dtypes = [...halvesAndFloats, 'F64'] as const;

/**
 * Indices of the `count` largest scores of each row, ascending, so that slicing reads forward only; equal scores go to the
 * lower index, so that the same scores give the same model.
 *
 * @returns [rows, count]; `out` if it was given, or an array on its bytes
 * @throws ERR_BAD_ARGUMENT if `count` is not from 0 to the number of columns, `out` does not fit or a score is NaN, ERR_ABORTED
 */
export const topK = withCaller(async (scores: Scores, count: number, options: TopKOptions = {}): Promise<Uint32Array> => namingTensors({scores}, async () => {
	kernelChecks().checkKernelOptions(options);
	const isRow = scores instanceof Float32Array || scores instanceof Float64Array;
	const matrix = floatMatrix('scores', isRow ? {data: scores, shape: [1, scores.length]} : scores, dtypes);
	const {rows, columns} = matrix;
	if (!Number.isInteger(count) || count < 0 || count > columns) {
		throw badArgument('count', `a whole number from 0 to ${columns}`, count, 'It is taken of each row.');
	}

	const out = outputOf(Uint32Array, rows * count, options.out);
	const native = loadNative();
	await runJob(() => native.topK(matrix, count, out), options);
	return out;
}));
