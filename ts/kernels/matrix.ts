import {badArgument} from '../errors.js';
import type {ComputeDtype, KernelMatrix} from '../native/contract.js';

/** Elements of a tensor as JavaScript holds them; bf16 and f16 as `Uint16Array`, 8-bit floats as `Uint8Array`. */
export type TensorData =
	| Float32Array | Float64Array | Uint8Array | Int8Array | Uint16Array | Int16Array
	| Uint32Array | Int32Array | BigUint64Array | BigInt64Array;

/**
 * A row-major matrix: `shape` is [rows, columns], or [rows] for a column of single elements. A tensor of
 * `openCheckpoint` is one; so is memory of your own, which is used without a copy.
 */
export type Matrix<Data extends TensorData = TensorData> = {
	readonly data: Data;
	readonly shape: readonly number[];
	/** What `data` holds, as safetensors names it. Needed where values are computed with and `data` is a `Uint16Array`. */
	readonly dtype?: string;
};

/** A matrix of floats: `Float32Array`, or `Uint16Array` with `dtype` 'BF16' or 'F16'. */
export type FloatMatrix = Matrix<Float32Array | Uint16Array>;

/** Rows and columns of a matrix. @throws ERR_BAD_ARGUMENT unless it has one or two dimensions that fit its data */
export const sizesOf = (name: string, {data, shape}: Matrix): {readonly rows: number; readonly columns: number} => {
	const [rows, columns = 1] = shape;
	const isSize = (size: number | undefined): size is number => Number.isSafeInteger(size) && size! >= 0;
	if (shape.length > 2 || !isSize(rows) || !isSize(columns)) {
		throw badArgument(`${name}.shape`, '[rows, columns] or [rows]', shape);
	}

	if (!ArrayBuffer.isView(data) || data instanceof DataView) {
		throw badArgument(`${name}.data`, 'a typed array', data);
	}

	if (data.length !== rows * columns) {
		throw badArgument(`${name}.data`, `${rows * columns} elements for the shape [${shape.join(', ')}]`, data.length);
	}

	return {rows, columns};
};

/** A matrix for the native kernels. @throws ERR_BAD_ARGUMENT unless it holds f32, bf16 or f16 */
export const kernelMatrix = (name: string, matrix: Matrix): KernelMatrix => {
	const sizes = sizesOf(name, matrix);
	const {data, dtype = data instanceof Float32Array ? 'F32' : undefined} = matrix;
	const isFloat = (dtype === 'F32' && data instanceof Float32Array) || ((dtype === 'BF16' || dtype === 'F16') && data instanceof Uint16Array);
	if (!isFloat) {
		throw badArgument(name, 'a Float32Array, or a Uint16Array with dtype BF16 or F16', dtype === undefined ? data : `${data.constructor.name} with dtype ${dtype}`);
	}

	return {data: data as Float32Array | Uint16Array, dtype: dtype as ComputeDtype, ...sizes};
};

/** Indices to keep: ascending, below `limit`. @throws ERR_BAD_ARGUMENT */
export const keepIndices = (keep: Uint32Array | readonly number[], limit: number): Uint32Array => {
	for (let place = 0; place < keep.length; place++) {
		const index = keep[place]!;
		if (!Number.isInteger(index) || index < 0 || index >= limit || (place > 0 && index <= keep[place - 1]!)) {
			throw badArgument('keep', `ascending indices from 0 to ${limit - 1}`, `${index} at place ${place}`);
		}
	}

	return keep instanceof Uint32Array ? keep : Uint32Array.from(keep);
};
