import {withCaller} from '../caller.js';
import {badArgument} from '../errors.js';
import {runJob} from '../native/jobs.js';
import {loadNative} from '../native/load.js';
import {checkKernelOptions, outputOf, sizesOf} from './matrix.js';
import type {KernelOptions, Matrix} from './matrix.js';

/** How the largest are found. */
export type TopKOptions = KernelOptions & {
	/** [rows, count] memory for the result, which may not overlap the scores; without it, new memory is taken. */
	readonly out?: Uint32Array;
};

/**
 * Indices of the `count` largest scores of each row, ascending, so that slicing reads forward only; equal scores go to the
 * lower index, so that the same scores give the same model.
 *
 * @param scores one row as a typed array, or a matrix [rows, columns] of f32 or f64
 * @returns [rows, count]; `out` if it was given
 * @throws ERR_BAD_ARGUMENT if `count` is not from 0 to the number of columns, `out` does not fit or a score is NaN, ERR_ABORTED
 */
export const topK = withCaller(async (
	scores: Float32Array | Float64Array | Matrix<Float32Array | Float64Array>,
	count: number,
	options: TopKOptions = {},
): Promise<Uint32Array> => {
	checkKernelOptions(options);
	const matrix = ArrayBuffer.isView(scores) ? {data: scores, shape: [1, scores.length]} : scores;
	const {rows, columns} = sizesOf('scores', matrix);
	if (!(matrix.data instanceof Float32Array || matrix.data instanceof Float64Array)) {
		throw badArgument('scores', 'a Float32Array or Float64Array', matrix.data);
	}

	if (!Number.isInteger(count) || count < 0 || count > columns) {
		throw badArgument('count', `a whole number from 0 to ${columns}`, count);
	}

	const out = outputOf(Uint32Array, rows * count, options.out);
	const native = loadNative();
	await runJob(() => native.topK(matrix.data, rows, columns, count, out), options);
	return out;
});
