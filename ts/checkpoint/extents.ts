import {count, damaged} from './damaged.js';
import type {TensorEntry} from './safetensors.js';

/** The file that tensors are held against. */
export type Extent = {readonly path: string; readonly dataBegin: number; readonly bytes: number};

/**
 * Orders tensors by their place and checks that they fill the file from `dataBegin` to its end: none passes the end, no
 * two overlap, no byte lies between them, before the first or after the last.
 *
 * @throws `ERR_BAD_FILE`
 */
export const checkExtents = (tensors: readonly TensorEntry[], {path, dataBegin, bytes}: Extent): readonly TensorEntry[] => {
	// Empty tensors come before what starts at the same byte; the sort is stable, so equals stay in the header's order.
	const ordered = [...tensors].sort((a, b) => a.begin - b.begin || a.bytes - b.bytes);
	let end = dataBegin;
	let before: TensorEntry | undefined;
	for (const tensor of ordered) {
		checkPlace(tensor, before, end, {path, dataBegin, bytes});
		end = tensor.begin + tensor.bytes;
		before = tensor;
	}

	if (end < bytes) {
		throw damaged(path, `${count(bytes - end)} bytes follow the last tensor: the tensors end at byte ${count(end)}, the file has ${count(bytes)}: it is too long`);
	}

	return ordered;
};

const checkPlace = (tensor: TensorEntry, before: TensorEntry | undefined, expected: number, {path, bytes}: Extent): void => {
	const end = tensor.begin + tensor.bytes;
	if (end > bytes) {
		throw damaged(path, `ends at byte ${count(end)}, the file has ${count(bytes)}: it is truncated`, tensor.name);
	}

	const place = before === undefined ? 'the header' : JSON.stringify(before.name);
	if (tensor.begin < expected) {
		throw damaged(path, `begins at byte ${count(tensor.begin)} and overlaps ${place}, which ends at ${count(expected)}`, tensor.name);
	}

	if (tensor.begin > expected) {
		throw damaged(path, `begins at byte ${count(tensor.begin)} and leaves a gap after ${place}, which ends at ${count(expected)}`, tensor.name);
	}
};
