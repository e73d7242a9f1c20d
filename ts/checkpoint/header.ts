import {basename} from 'node:path';
import {describe} from '../errors.js';
import {count, damaged} from './damaged.js';
import {dtypeBits} from './dtypes.js';
import {isObject, parseJsonObject, type JsonObject} from './json.js';
import {duplicateKey} from './jsonscan.js';
import type {TensorEntry} from './safetensors.js';

/** What a header says. */
export type Header = {
	readonly metadata: Readonly<Record<string, string>>;
	/** In the order of the header, not yet held against the file. */
	readonly tensors: readonly TensorEntry[];
};

/**
 * Parses the JSON text of a safetensors header; data starts at byte `dataBegin` of the file.
 *
 * Checks each entry for itself: dtype known, shape of whole numbers, offsets in order, as many bytes as dtype and shape take.
 *
 * @throws `ERR_BAD_FILE`
 */
export const parseHeader = (text: string, path: string, dataBegin: number): Header => {
	if (!text.startsWith('{')) {
		throw damaged(path, `expected a header that starts with "{", got ${describe(text.slice(0, 8))}`);
	}

	const {__metadata__: metadata = {}, ...entries} = parseJsonObject(text, path);
	const duplicate = duplicateKey(text);
	if (duplicate !== undefined) {
		const [tensor, key] = duplicate;
		throw damaged(path, key === undefined ? 'is in the header twice' : `has the key ${JSON.stringify(key)} twice`, tensor);
	}

	return {
		metadata: checkMetadata(metadata, path),
		tensors: Object.entries(entries).map(([name, entry]) => checkEntry(name, entry, path, dataBegin)),
	};
};

/** Bytes of a tensor, or undefined where the shape's product is no safe integer or the bits fill no whole bytes. */
const tensorBytes = (dtype: string, shape: readonly number[]): number | undefined => {
	const bits = dtypeBits[dtype];
	if (bits === undefined) {
		return undefined;
	}

	// Big integers: with numbers, a product that passes 2^53 on the way to a 0 would be lost.
	const total = shape.reduce((product, size) => product * BigInt(size), BigInt(bits));
	return total % 8n === 0n && total <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(total / 8n) : undefined;
};

const checkMetadata = (metadata: unknown, path: string): Readonly<Record<string, string>> => {
	if (!isObject(metadata)) {
		throw damaged(path, `expected "__metadata__" to be an object of texts, got ${describe(metadata)}`);
	}

	for (const [key, value] of Object.entries(metadata)) {
		if (typeof value !== 'string') {
			throw damaged(path, `expected "__metadata__" to hold texts, got ${describe(value)} for ${JSON.stringify(key)}`);
		}
	}

	return metadata as Readonly<Record<string, string>>;
};

const checkEntry = (name: string, entry: unknown, path: string, dataBegin: number): TensorEntry => {
	if (!isObject(entry)) {
		throw damaged(path, `expected an object with dtype, shape and data_offsets, got ${describe(entry)}`, name);
	}

	const {dtype, shape, begin, end} = checkFields(name, entry, path);
	const bytes = tensorBytes(dtype, shape);
	if (bytes === undefined) {
		throw damaged(path, `has shape [${shape.join(', ')}] of ${dtype}, which is more bytes than a file can hold, or not whole bytes`, name);
	}

	if (end - begin !== bytes) {
		throw damaged(path, `of shape [${shape.join(', ')}] and dtype ${dtype} takes ${count(bytes)} bytes, its offsets span ${count(end - begin)}`, name);
	}

	return {name, file: basename(path), path, dtype, itemBits: dtypeBits[dtype]!, shape, begin: dataBegin + begin, bytes};
};

type Fields = {readonly dtype: string; readonly shape: readonly number[]; readonly begin: number; readonly end: number};

const checkFields = (name: string, {dtype, shape, data_offsets: offsets}: JsonObject, path: string): Fields => {
	if (typeof dtype !== 'string' || !Object.hasOwn(dtypeBits, dtype)) {
		throw damaged(path, `has the dtype ${describe(dtype)}, expected one of ${Object.keys(dtypeBits).join(', ')}`, name, 'The file comes from a newer library, or is damaged.');
	}

	if (!isSizes(shape)) {
		throw damaged(path, `has the shape ${describe(shape)}, expected an array of whole numbers from 0`, name);
	}

	if (!isSizes(offsets) || offsets.length !== 2) {
		throw damaged(path, `has the data_offsets ${describe(offsets)}, expected [begin, end] in whole numbers from 0`, name);
	}

	const [begin, end] = offsets as [number, number];
	if (end < begin) {
		throw damaged(path, `begins at byte ${count(begin)} of the data and ends before it, at ${count(end)}`, name);
	}

	return {dtype, shape, begin, end};
};

const isSizes = (value: unknown): value is readonly number[] =>
	Array.isArray(value) && value.every(size => Number.isSafeInteger(size) && (size as number) >= 0);
