import {Words, badArgument, describe} from '../errors.js';
import type {KernelMatrix} from '../native/contract.js';
import {checkData, dtypeHint, sizesOf} from './matrix.js';
import type {Matrix} from './matrix.js';

/** A matrix of floats: `Float32Array`, `Uint16Array` with `dtype` 'BF16' or 'F16', or the bytes of either in a `Uint8Array` or `Buffer` with `dtype`. */
export type FloatMatrix = Matrix<Float32Array | Uint16Array | Uint8Array>;

const arrays = {F32: Float32Array, F64: Float64Array, BF16: Uint16Array, F16: Uint16Array} as const;

type FloatDtype = keyof typeof arrays;

/** What is computed with as f32. */
export const halvesAndFloats = ['F32', 'BF16', 'F16'] as const;

/** A matrix for the native kernels. @throws ERR_BAD_ARGUMENT unless it holds one of these dtypes */
export const floatMatrix = <Dtype extends FloatDtype>(name: string, matrix: Matrix, dtypes: readonly Dtype[]): KernelMatrix<Dtype> => {
	checkData(name, matrix);
	const dtype = dtypeOf(name, matrix, dtypes);
	const {data} = matrix;
	if (!(data instanceof Uint8Array || data instanceof arrays[dtype])) {
		throw wrongKind(name, matrix, dtypes);
	}

	const {rows, columns} = sizesOf(name, matrix);
	return {data, dtype, rows, columns};
};

const dtypeOf = <Dtype extends FloatDtype>(name: string, matrix: Matrix, dtypes: readonly Dtype[]): Dtype => {
	const {data, dtype} = matrix;
	if (dtype === undefined && (data instanceof Uint8Array || data instanceof Uint16Array)) {
		const possible = dtypes.filter(one => data instanceof Uint8Array || data instanceof arrays[one]);
		throw badArgument(`${name}.dtype`, `one of ${possible.join(', ')}, whichever ${describe(data)} holds`, dtype, dtypeHint);
	}

	const found = dtypes.find(one => dtype === undefined ? data instanceof arrays[one] : one === dtype);
	if (found === undefined) {
		throw wrongKind(name, matrix, dtypes);
	}

	return found;
};

const wrongKind = (name: string, {data, dtype}: Matrix, dtypes: readonly FloatDtype[]): Error =>
	badArgument(name, `a matrix of ${dtypes.join(', ')}`, new Words(dtype === undefined ? describe(data) : `${describe(data)} with dtype ${describe(dtype)}`), kindsHint);

const kindsHint = 'A Float32Array holds F32, a Uint16Array with dtype BF16 or F16, a Uint8Array or Buffer with dtype the bytes of any of them.';
