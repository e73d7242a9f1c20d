import {badArgument} from '../errors.js';
import {runJob} from '../native/jobs.js';
import {loadNative} from '../native/load.js';
import {sizesOf} from './matrix.js';
import type {Matrix} from './matrix.js';

/**
 * Indices of the `count` largest scores of each row, ascending, so that slicing reads forward only; equal scores go to the
 * lower index, so that the same scores give the same model.
 *
 * @param scores one row as a typed array, or a matrix [rows, columns] of f32 or f64
 * @returns [rows, count]
 * @throws ERR_BAD_ARGUMENT if `count` is not from 0 to the number of columns or a score is NaN, ERR_ABORTED
 */
export const topK = async (
	scores: Float32Array | Float64Array | Matrix<Float32Array | Float64Array>,
	count: number,
	{signal}: {readonly signal?: AbortSignal} = {},
): Promise<Uint32Array> => {
	const matrix = ArrayBuffer.isView(scores) ? {data: scores, shape: [1, scores.length]} : scores;
	const {rows, columns} = sizesOf('scores', matrix);
	if (!(matrix.data instanceof Float32Array || matrix.data instanceof Float64Array)) {
		throw badArgument('scores', 'a Float32Array or Float64Array', matrix.data);
	}

	if (!Number.isInteger(count) || count < 0 || count > columns) {
		throw badArgument('count', `a whole number from 0 to ${columns}`, count);
	}

	const native = loadNative();
	return runJob(() => native.topK(matrix.data, rows, columns, count), {signal});
};
