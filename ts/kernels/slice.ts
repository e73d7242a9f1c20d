import {withCaller} from '../caller.js';
import {badArgument} from '../errors.js';
import {runJob} from '../native/jobs.js';
import {loadNative} from '../native/load.js';
import {keepIndices} from './keep.js';
import {sizesOf} from './matrix.js';
import type {Matrix, TensorData} from './matrix.js';
import {kernelChecks} from './options.js';
import type {KernelOptions} from './options.js';
import {outputOf} from './output.js';
import type {OutputArray} from './output.js';
import {namingTensors} from './tensors.js';

/** How a slice is taken. */
export type SliceOptions<Data extends TensorData> = KernelOptions & {
	/**
	 * Memory for the result, not overlapping the matrix: of the kind and length that the result needs, or its bytes at an offset that is
	 * a multiple of an element's size. Without it, new memory is taken.
	 */
	readonly out?: Data | Uint8Array;
};

/**
 * The rows of a matrix [rows, columns] that `keep` names (ascending), as [kept, columns]. Any dtype; bytes are copied as they are.
 *
 * @returns its data are `out` if that was given, or an array of their kind on its bytes
 * @throws ERR_BAD_ARGUMENT if shape, `keep` or `out` don't fit, ERR_ABORTED
 */
export const sliceRows = withCaller(async <Data extends TensorData>(matrix: Matrix<Data>, keep: Uint32Array | readonly number[], options: SliceOptions<Data> = {}): Promise<Matrix<Data>> => namingTensors({matrix}, async () => {
	kernelChecks().checkKernelOptions(options);
	const {rows, columns, itemBytes} = sizesOf('matrix', matrix);
	const kept = keepIndices(keep, rows, 'rows');
	const out = memoryLike(matrix, kept.length * columns * itemBytes, options.out);
	const native = loadNative();
	await runJob(() => native.sliceRows(matrix.data, rows, columns, kept, out, itemBytes), options);
	return sliced(matrix, out, [kept.length, ...matrix.shape.slice(1)]);
}));

/**
 * The columns of a matrix [rows, columns] that `keep` names (ascending), as [rows, kept]. Any dtype; bytes are copied as they are.
 *
 * @returns its data are `out` if that was given, or an array of their kind on its bytes
 * @throws ERR_BAD_ARGUMENT if shape, `keep` or `out` don't fit, ERR_ABORTED
 */
export const sliceColumns = withCaller(async <Data extends TensorData>(matrix: Matrix<Data>, keep: Uint32Array | readonly number[], options: SliceOptions<Data> = {}): Promise<Matrix<Data>> => namingTensors({matrix}, async () => {
	kernelChecks().checkKernelOptions(options);
	const {rows, columns, itemBytes} = sizesOf('matrix', matrix);
	if (matrix.shape.length !== 2) {
		throw badArgument('matrix.shape', '[rows, columns]', matrix.shape);
	}

	const kept = keepIndices(keep, columns, 'columns');
	const out = memoryLike(matrix, rows * kept.length * itemBytes, options.out);
	const native = loadNative();
	await runJob(() => native.sliceColumns(matrix.data, rows, columns, kept, out, itemBytes), options);
	return sliced(matrix, out, [rows, kept.length]);
}));

// A Buffer's own constructor is not for new memory.
const memoryLike = <Data extends TensorData>({data}: Matrix<Data>, bytes: number, out: Data | Uint8Array | undefined): Data => {
	const kind = (data instanceof Uint8Array ? Uint8Array : data.constructor) as OutputArray<Data>;
	const result = outputOf(kind, bytes / data.BYTES_PER_ELEMENT, out);
	return out === undefined && Buffer.isBuffer(data) ? Buffer.from(result.buffer) as TensorData as Data : result;
};

const sliced = <Data extends TensorData>({dtype}: Matrix<Data>, data: Data, shape: readonly number[]): Matrix<Data> => ({data, shape, ...dtype !== undefined && {dtype}});
