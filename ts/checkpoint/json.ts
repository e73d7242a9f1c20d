import {readFile} from 'node:fs/promises';
import {describe, fileError, FlabError} from '../errors.js';

/** A JSON object as read. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A JSON file and the text it was read from; `formatJson` needs the text to write the numbers as they were. */
export type JsonFile = {readonly value: JsonObject; readonly text: string};

/**
 * Reads a JSON file whose top level is an object.
 *
 * @throws `ERR_READ` if it can't be read, `ERR_BAD_FILE` if it isn't UTF-8, not JSON, or not an object.
 */
export const readJsonObject = async (path: string, hint?: string): Promise<JsonFile> => {
	const bytes = await readFile(path).catch(cause => {
		const error = fileError('read', path, cause);
		throw hint === undefined || error.code !== 'ERR_READ' ? error : new FlabError('ERR_READ', error.message, {file: path, hint, cause});
	});
	const text = decodeUtf8(bytes);
	if (text === undefined) {
		throw badJson(path, 'expected UTF-8 text, got other bytes');
	}

	return {value: parseJsonObject(text, path), text};
};

/** Parses a JSON object; `path` is for messages only. @throws `ERR_BAD_FILE` */
export const parseJsonObject = (text: string, path: string): JsonObject => {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (cause) {
		throw badJson(path, `not valid JSON: ${(cause as Error).message}`, cause);
	}

	if (!isObject(value)) {
		throw badJson(path, `expected a JSON object, got ${describe(value)}`);
	}

	return value;
};

/** Strict UTF-8, a byte-order mark kept as a character; undefined for other bytes. */
export const decodeUtf8 = (bytes: Uint8Array): string | undefined => {
	try {
		return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes);
	} catch {
		return undefined;
	}
};

export const isObject = (value: unknown): value is JsonObject =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

const badJson = (path: string, what: string, cause?: unknown): FlabError =>
	new FlabError('ERR_BAD_FILE', `${path}: ${what}`, {file: path, hint: 'The file is damaged or incomplete: fetch it again.', cause});
