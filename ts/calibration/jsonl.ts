import {isUtf8} from 'node:buffer';
import {createReadStream} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {fileError} from '../errors.js';
import {badRecord, notUtf8, textOf, type FileRecord, type ReadRecordsInput} from './records.js';

/** Records of a file with one JSON object a line. Blank lines, a byte-order mark and CRLF are fine. */
export async function * readJsonLines({file, fields}: ReadRecordsInput): AsyncGenerator<FileRecord> {
	for await (const {line, number, bytesRead} of readLines(file)) {
		if (line.trim() !== '') {
			const where = {file, unit: 'line', record: number} as const;
			yield {text: textOf(parseJson(line, where), fields, where), record: number, bytesRead};
		}
	}
}

/** Records of a JSON file that is one array of objects; anything else is read as JSON lines, which many such files are. */
export async function * readJsonArray(input: ReadRecordsInput): AsyncGenerator<FileRecord> {
	const {file, fields, bytes} = input;
	if (!await startsWithBracket(file)) {
		yield * readJsonLines(input);
		return;
	}

	const content = await readFile(file).catch((cause: unknown) => {
		throw fileError('read', file, cause);
	});
	if (!isUtf8(content)) {
		throw notUtf8({file});
	}

	const records = parseJson(content.toString('utf8').replace(/^\uFEFF/, ''), {file}) as readonly unknown[];
	for (const [index, record] of records.entries()) {
		yield {text: textOf(record, fields, {file, unit: 'record', record: index + 1}), record: index + 1, bytesRead: Math.round(bytes * (index + 1) / records.length)};
	}
}

const startsWithBracket = async (file: string): Promise<boolean> => {
	for await (const {line} of readLines(file)) {
		if (line.trim() !== '') {
			return line.trimStart().startsWith('[');
		}
	}

	return false;
};

const parseJson = (text: string, where: Parameters<typeof badRecord>[0]): unknown => {
	try {
		return JSON.parse(text);
	} catch (cause) {
		throw badRecord(where, `not valid JSON: ${(cause as Error).message}`, cause);
	}
};

const newline = 0x0A;

/** Lines of a UTF-8 file without their ends, in bounded memory (the longest line). @throws `ERR_READ`, `ERR_BAD_DATA` for other bytes. */
async function * readLines(file: string): AsyncGenerator<{readonly line: string; readonly number: number; readonly bytesRead: number}> {
	let rest: Buffer[] = [];
	let number = 0;
	let bytesRead = 0;
	for await (const chunk of chunksOf(file)) {
		let begin = 0;
		for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, begin)) {
			const line = rest.length === 0 ? chunk.subarray(begin, end) : Buffer.concat([...rest, chunk.subarray(begin, end)]);
			rest = [];
			number++;
			yield {line: decode(line, file, number), number, bytesRead: bytesRead + end + 1};
			begin = end + 1;
		}

		bytesRead += chunk.length;
		if (begin < chunk.length) {
			rest.push(chunk.subarray(begin));
		}
	}

	if (rest.length > 0) {
		yield {line: decode(Buffer.concat(rest), file, number + 1), number: number + 1, bytesRead};
	}
}

async function * chunksOf(file: string): AsyncGenerator<Buffer> {
	try {
		yield * createReadStream(file, {highWaterMark: 1 << 18}) as AsyncIterable<Buffer>;
	} catch (cause) {
		throw fileError('read', file, cause);
	}
}

// The decoder takes a byte-order mark away.
const utf8 = new TextDecoder('utf-8', {fatal: true});

const decode = (bytes: Buffer, file: string, number: number): string => {
	try {
		return utf8.decode(bytes);
	} catch (cause) {
		throw notUtf8({file, unit: 'line', record: number}, cause);
	}
};
