// Reading the header of a safetensors file and holding it to the file. The data itself is never read here.
//
// The format: 8 bytes with the header's length (little-endian), the header (JSON: a tensor's dtype, shape and place in the
// data; free texts under "__metadata__"), the data of all tensors without gaps.

import {open, type FileHandle} from 'node:fs/promises';
import {basename} from 'node:path';
import {fileError} from '../errors.js';
import {count, damaged} from './damaged.js';
import {checkExtents} from './extents.js';
import {parseHeader} from './header.js';
import {decodeUtf8} from './json.js';

/** A tensor in a file of a checkpoint. */
export type TensorEntry = {
	readonly name: string;
	/** Base name of the file. */
	readonly file: string;
	readonly path: string;
	/** As safetensors writes it: F32, BF16, U8, ... (a key of `dtypeBits`). */
	readonly dtype: string;
	/** Bits of one element. */
	readonly itemBits: number;
	readonly shape: readonly number[];
	/** Byte offset of the first element in the file. */
	readonly begin: number;
	readonly bytes: number;
};

/** A safetensors file whose header is sound. */
export type Shard = {
	/** Base name. */
	readonly file: string;
	readonly path: string;
	/** Size of the file. */
	readonly bytes: number;
	readonly metadata: Readonly<Record<string, string>>;
	/** In the order of their data. */
	readonly tensors: readonly TensorEntry[];
};

/** Longest header that safetensors libraries accept. */
export const maxHeaderBytes = 100_000_000;

/**
 * Reads the header of a safetensors file and checks it against the file: every byte after the header belongs to exactly one
 * tensor, and to each tensor as many bytes as its dtype and shape take.
 *
 * @throws `ERR_READ` if the file can't be read, `ERR_BAD_FILE` (naming file, tensor, expected, got) if it is damaged.
 */
export const readHeader = async (path: string): Promise<Shard> => {
	const {text, dataBegin, bytes} = await readHeaderText(path);
	const {metadata, tensors} = parseHeader(text, path, dataBegin);
	return {file: basename(path), path, bytes, metadata, tensors: checkExtents(tensors, {path, dataBegin, bytes})};
};

type HeaderText = {readonly text: string; readonly dataBegin: number; readonly bytes: number};

const readHeaderText = async (path: string): Promise<HeaderText> => {
	let file: FileHandle | undefined;
	try {
		file = await open(path, 'r');
		const stat = await file.stat();
		if (!stat.isFile()) {
			throw damaged(path, 'expected a regular file, got something else');
		}

		const headerBytes = headerLength(path, await readExactly(file, path, 0, Math.min(8, stat.size)), stat.size);
		const text = decodeUtf8(await readExactly(file, path, 8, headerBytes));
		if (text === undefined) {
			throw damaged(path, 'expected a header in UTF-8, got other bytes');
		}

		return {text, dataBegin: 8 + headerBytes, bytes: stat.size};
	} catch (error) {
		throw fileError('read', path, error);
	} finally {
		await file?.close();
	}
};

const headerLength = (path: string, prefix: Buffer, bytes: number): number => {
	if (prefix.length < 8) {
		throw damaged(path, `expected at least the 8 bytes of the header's length, the file has ${count(bytes)}`);
	}

	const length = prefix.readBigUInt64LE();
	if (length > BigInt(bytes - 8)) {
		throw damaged(path, `the header is said to be ${count(length)} bytes long, the file has ${count(bytes - 8)} after the length: it is truncated, or not a safetensors file`);
	}

	if (length > BigInt(maxHeaderBytes)) {
		throw damaged(path, `the header is said to be ${count(length)} bytes long, expected at most ${count(maxHeaderBytes)}`);
	}

	return Number(length);
};

const readExactly = async (file: FileHandle, path: string, position: number, length: number): Promise<Buffer> => {
	const buffer = Buffer.alloc(length);
	let done = 0;
	while (done < length) {
		const {bytesRead} = await file.read(buffer, done, length - done, position + done);
		if (bytesRead === 0) {
			throw damaged(path, `the file ended at byte ${count(position + done)} while it was read, expected ${count(position + length)} bytes: something is changing it`);
		}

		done += bytesRead;
	}

	return buffer;
};
