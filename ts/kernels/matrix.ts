import {dtypeBits} from '../checkpoint/dtypes.js';
import {FlabError, badArgument} from '../errors.js';
import type {ComputeDtype, KernelMatrix} from '../native/contract.js';
import {checkControl} from '../progress.js';

/**
 * Elements of a tensor as JavaScript holds them; bf16 and f16 as `Uint16Array`, 8-bit floats as `Uint8Array`. On shared memory too.
 * A `Uint8Array` (so a `Buffer`) may also hold the bytes of elements of any dtype, little-endian, at any offset.
 */
export type TensorData =
	| Float32Array | Float64Array | Uint8Array | Int8Array | Uint16Array | Int16Array
	| Uint32Array | Int32Array | BigUint64Array | BigInt64Array;

/**
 * A row-major matrix: `shape` is [rows, columns], or [rows] for a column of single elements. A tensor of
 * `openCheckpoint` is one; so is memory of your own, which is used without a copy: it may not be transferred to another thread
 * while a call works on it.
 */
export type Matrix<Data extends TensorData = TensorData> = {
	readonly data: Data;
	readonly shape: readonly number[];
	/** What `data` holds, as safetensors names it. Needed where values are computed with and `data` is a `Uint16Array`, and for bytes. */
	readonly dtype?: string;
};

/** A matrix of floats: `Float32Array`, `Uint16Array` with `dtype` 'BF16' or 'F16', or the bytes of either in a `Uint8Array` or `Buffer` with `dtype`. */
export type FloatMatrix = Matrix<Float32Array | Uint16Array | Uint8Array>;

/** What every kernel takes. */
export type KernelOptions = {
	readonly signal?: AbortSignal;
	/** Threads that the call may take. Without it: as many as the machine grants. */
	readonly threads?: number;
};

/** Checks the types of a call's options. @throws ERR_BAD_ARGUMENT */
export const checkKernelOptions = ({signal, threads}: KernelOptions): void => {
	checkControl({signal});
	if (threads !== undefined && (!Number.isSafeInteger(threads) || threads < 1)) {
		throw badArgument('threads', 'a whole number of at least 1', threads);
	}
};

/** The sizes of a matrix, and the bytes of an element. @throws ERR_BAD_ARGUMENT unless it has one or two dimensions that fit its data */
export const sizesOf = (name: string, matrix: Matrix): {readonly rows: number; readonly columns: number; readonly itemBytes: number} => {
	if (typeof matrix !== 'object' || matrix === null || !Array.isArray(matrix.shape)) {
		throw badArgument(name, 'an object with data and shape', matrix);
	}

	const {data, shape, dtype} = matrix;
	const [rows, columns = 1] = shape;
	const isSize = (size: number | undefined): size is number => Number.isSafeInteger(size) && size! >= 0;
	if (shape.length > 2 || !isSize(rows) || !isSize(columns)) {
		throw badArgument(`${name}.shape`, '[rows, columns] or [rows]', shape);
	}

	if (!ArrayBuffer.isView(data) || data instanceof DataView) {
		throw badArgument(`${name}.data`, 'a typed array', data);
	}

	refuseResizable(`${name}.data`, data);
	const itemBytes = bytesOfItem(data, dtype);
	if (data.byteLength !== rows * columns * itemBytes) {
		throw badArgument(`${name}.data`, `${rows * columns} elements for the shape [${shape.join(', ')}]`, data.byteLength / itemBytes);
	}

	return {rows, columns, itemBytes};
};

// Memory that shrinks while a thread reads it would end the process.
const refuseResizable = (name: string, {buffer}: TensorData): void => {
	if ((buffer as {readonly resizable?: boolean}).resizable) {
		throw badArgument(name, 'memory of a fixed size', 'a resizable ArrayBuffer');
	}
};

// Only bytes can stand for elements of another size.
const bytesOfItem = (data: TensorData, dtype: string | undefined): number => {
	const bits = data instanceof Uint8Array && dtype !== undefined ? dtypeBits[dtype] : undefined;
	return bits !== undefined && bits % 8 === 0 ? bits / 8 : data.BYTES_PER_ELEMENT;
};

type OutputArray<Data> = new (length: number) => Data;

/**
 * The memory for a result: the caller's, or new. A `Buffer` counts as the `Uint8Array` that it is.
 *
 * @throws ERR_BAD_ARGUMENT if it is not of the kind and length that the result needs, ERR_MEMORY
 */
export const outputOf = <Data extends TensorData>(kind: OutputArray<Data>, length: number, out: Data | undefined): Data => {
	if (out === undefined) {
		try {
			return new kind(length);
		} catch (cause) {
			throw new FlabError('ERR_MEMORY', `could not allocate a ${kind.name} of ${length} elements for the result`, {hint: 'Pass fewer rows at a time.', cause});
		}
	}

	if (!(out instanceof kind) || out.length !== length) {
		throw badArgument('out', `a ${kind.name} of ${length} elements`, ArrayBuffer.isView(out) ? `a ${(out as TensorData).constructor.name} of ${(out as TensorData).length}` : out);
	}

	refuseResizable('out', out);
	return out;
};

/** A matrix for the native kernels. @throws ERR_BAD_ARGUMENT unless it holds f32, bf16 or f16 */
export const kernelMatrix = (name: string, matrix: Matrix): KernelMatrix => {
	const {rows, columns} = sizesOf(name, matrix);
	const {data, dtype = data instanceof Float32Array ? 'F32' : undefined} = matrix;
	const isWide = dtype === 'F32' && (data instanceof Float32Array || data instanceof Uint8Array);
	const isHalf = (dtype === 'BF16' || dtype === 'F16') && (data instanceof Uint16Array || data instanceof Uint8Array);
	if (!isWide && !isHalf) {
		throw badArgument(name, 'a Float32Array, a Uint16Array with dtype BF16 or F16, or bytes of one of these with their dtype', dtype === undefined ? data : `${data.constructor.name} with dtype ${dtype}`);
	}

	return {data: data as Float32Array | Uint16Array | Uint8Array, dtype: dtype as ComputeDtype, rows, columns};
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
