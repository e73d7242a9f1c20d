import {badArgument} from '../errors.js';
import {runJob} from '../native/jobs.js';
import {loadNative} from '../native/load.js';
import {keepIndices, sizesOf} from './matrix.js';
import type {Matrix, TensorData} from './matrix.js';

/** How a slice is taken. */
export type SliceOptions<Data extends TensorData> = {
	/** Memory for the result, of the kind and length that it needs; without it, new memory is taken. */
	readonly out?: Data;
	readonly signal?: AbortSignal;
};

/**
 * The rows of a matrix [rows, columns] that `keep` names (ascending), as [kept, columns]. Any dtype; bytes are copied as they are.
 *
 * @throws ERR_BAD_ARGUMENT if shape, `keep` or `out` don't fit, ERR_ABORTED
 */
export const sliceRows = async <Data extends TensorData>(matrix: Matrix<Data>, keep: Uint32Array | readonly number[], options: SliceOptions<Data> = {}): Promise<Matrix<Data>> => {
	const {rows, columns} = sizesOf('matrix', matrix);
	const kept = keepIndices(keep, rows);
	const out = outputOf(matrix, kept.length * columns, options.out);
	const native = loadNative();
	await runJob(() => native.sliceRows(matrix.data, rows, columns, kept, out), options);
	return {...matrix, data: out, shape: [kept.length, ...matrix.shape.slice(1)]};
};

/**
 * The columns of a matrix [rows, columns] that `keep` names (ascending), as [rows, kept]. Any dtype; bytes are copied as they are.
 *
 * @throws ERR_BAD_ARGUMENT if shape, `keep` or `out` don't fit, ERR_ABORTED
 */
export const sliceColumns = async <Data extends TensorData>(matrix: Matrix<Data>, keep: Uint32Array | readonly number[], options: SliceOptions<Data> = {}): Promise<Matrix<Data>> => {
	const {rows, columns} = sizesOf('matrix', matrix);
	if (matrix.shape.length !== 2) {
		throw badArgument('matrix.shape', '[rows, columns]', matrix.shape);
	}

	const kept = keepIndices(keep, columns);
	const out = outputOf(matrix, rows * kept.length, options.out);
	const native = loadNative();
	await runJob(() => native.sliceColumns(matrix.data, rows, columns, kept, out), options);
	return {...matrix, data: out, shape: [rows, kept.length]};
};

const outputOf = <Data extends TensorData>({data}: Matrix<Data>, length: number, out: Data | undefined): Data => {
	if (out === undefined) {
		return new (data.constructor as new (length: number) => Data)(length);
	}

	if (out.constructor !== data.constructor || out.length !== length) {
		throw badArgument('out', `a ${data.constructor.name} of ${length} elements`, `a ${out.constructor.name} of ${out.length}`);
	}

	return out;
};
