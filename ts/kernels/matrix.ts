import {dtypeBits} from '../checkpoint/dtypes.js';
import {Words, badArgument} from '../errors.js';
import {refuseUnusable} from './memory.js';

/**
 * Elements of a tensor as JavaScript holds them; bf16 and f16 as `Uint16Array`, 8-bit floats as `Uint8Array`. On shared memory too.
 * A `Uint8Array` (so a `Buffer`) may also hold the bytes of elements of any dtype, little-endian, at any offset.
 */
export type TensorData =
	| Float32Array | Float64Array | Uint8Array | Int8Array | Uint16Array | Int16Array
	| Uint32Array | Int32Array | BigUint64Array | BigInt64Array;

/**
 * A row-major matrix: `shape` is [rows, columns], or [rows] for a column of single elements. A tensor of
 * `openCheckpoint` is one; so is memory of your own, which is used without a copy: until the call's promise has settled it may not be
 * transferred to another thread (`postMessage`, `structuredClone`) or detached in another way. That ends the process, and
 * nothing can keep you from it.
 */
export type Matrix<Data extends TensorData = TensorData> = {
	readonly data: Data;
	readonly shape: readonly number[];
	/** What `data` holds, as safetensors names it. Needed where values are computed with and `data` is a `Uint16Array`, and for bytes. */
	readonly dtype?: string;
	/** For error messages. */
	readonly name?: string;
};

/** The sizes of a matrix, and the bytes of an element. */
export type Sizes = {readonly rows: number; readonly columns: number; readonly itemBytes: number};

/** Refuses what has no data that a thread may read. @throws ERR_BAD_ARGUMENT */
export const checkData = (name: string, matrix: Matrix): void => {
	if (typeof matrix !== 'object' || matrix === null || Array.isArray(matrix) || ArrayBuffer.isView(matrix)) {
		throw badArgument(name, 'an object with data and shape', matrix, 'Pass {data, shape: [rows, columns]}, or a tensor of openCheckpoint.');
	}

	const {data} = matrix;
	if (!ArrayBuffer.isView(data) || data instanceof DataView) {
		throw badArgument(`${name}.data`, 'a typed array', data);
	}

	refuseUnusable(`${name}.data`, data);
};

/** The sizes of a matrix. @throws ERR_BAD_ARGUMENT unless it has one or two dimensions that fit its data */
export const sizesOf = (name: string, matrix: Matrix): Sizes => {
	checkData(name, matrix);
	const {shape} = matrix;
	const [rows, columns = 1] = Array.isArray(shape) ? shape as readonly number[] : [];
	const isSize = (size: number | undefined): size is number => Number.isSafeInteger(size) && size! >= 0;
	if (!isSize(rows) || !isSize(columns) || shape.length > 2) {
		throw badArgument(`${name}.shape`, '[rows, columns] or [rows]', shape);
	}

	return {rows, columns, itemBytes: fittingItem(name, matrix, rows * columns)};
};

// Only bytes can stand for elements of another size.
const fittingItem = (name: string, {data, shape, dtype}: Matrix, elements: number): number => {
	const bits = data instanceof Uint8Array && dtype !== undefined ? dtypeBits[dtype] : undefined;
	const itemBytes = bits !== undefined && bits % 8 === 0 ? bits / 8 : data.BYTES_PER_ELEMENT;
	if (data.byteLength === elements * itemBytes) {
		return itemBytes;
	}

	if (bits !== undefined) {
		throw badArgument(`${name}.data`, `${elements * itemBytes} bytes, ${elements} elements of ${dtype} for the shape [${shape.join(', ')}]`, new Words(`${data.byteLength} bytes`));
	}

	throw badArgument(`${name}.data`, `${elements} elements for the shape [${shape.join(', ')}]`, new Words(String(data.length)), data instanceof Uint8Array ? dtypeHint : undefined);
};

/** What to do about bytes that nobody can tell the elements of. */
export const dtypeHint = 'Say by dtype what the bytes are, as safetensors names it: dtype: \'BF16\'.';
