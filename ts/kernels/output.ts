import {FlabError, Words, badArgument, describe} from '../errors.js';
import type {TensorData} from './matrix.js';
import {refuseUnusable} from './memory.js';

/** The constructor of a typed array. */
export type OutputArray<Data> = {
	readonly name: string;
	readonly BYTES_PER_ELEMENT: number;
	new (length: number): Data;
	new (buffer: ArrayBufferLike, byteOffset: number, length: number): Data;
};

/**
 * The memory for a result: new, or the caller's. Bytes of the right number and alignment are seen as what the result consists of.
 *
 * @throws ERR_BAD_ARGUMENT if it is not of the kind and length that the result needs, ERR_MEMORY
 */
export const outputOf = <Data extends TensorData>(kind: OutputArray<Data>, length: number, out: Data | Uint8Array | undefined): Data => {
	if (out === undefined) {
		return newMemory(kind, length);
	}

	if (ArrayBuffer.isView(out) && !((out as ArrayBufferView) instanceof DataView)) {
		refuseUnusable('out', out);
	}

	if (out instanceof kind && out.length === length) {
		return out;
	}

	const item = kind.BYTES_PER_ELEMENT;
	if (!(out instanceof Uint8Array && out.length === length * item && out.byteOffset % item === 0)) {
		const bytes = item === 1 ? '' : `, or ${length * item} bytes that begin at a multiple of ${item} in their ArrayBuffer`;
		const got = new Words(`${describe(out)}${out instanceof Uint8Array && out.byteOffset % item !== 0 ? ` that begins at ${out.byteOffset}` : ''}`);
		throw badArgument('out', `a ${kind.name} of ${length}${bytes}`, got, `Pass new ${kind.name}(${length}), or leave it away for new memory.`);
	}

	return new kind(out.buffer, out.byteOffset, length);
};

const newMemory = <Data>(kind: OutputArray<Data>, length: number): Data => {
	try {
		return new kind(length);
	} catch (cause) {
		throw new FlabError('ERR_MEMORY', `could not allocate a ${kind.name} of ${length} elements for the result`, {hint: 'Pass fewer rows at a time.', cause});
	}
};
