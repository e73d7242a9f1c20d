import {readFile} from 'node:fs/promises';
import {fileError, FlabError} from '../errors.js';
import type {FileRecord, ReadRecordsInput} from './records.js';

/** Where binary files show themselves, as Git looks: a zero byte near the start. */
const sniffedBytes = 8000;

/** A whole file as one text, with the ends of its lines as they are. Bytes that aren't UTF-8 are replaced, as editors do. */
export async function * readPlainText({file, bytes, skipBinary}: ReadRecordsInput): AsyncGenerator<FileRecord> {
	const content = await readFile(file).catch((cause: unknown) => {
		throw fileError('read', file, cause);
	});
	if (!content.subarray(0, sniffedBytes).includes(0)) {
		yield {text: content.toString('utf8').replace(/^\uFEFF/, ''), record: 1, bytesRead: bytes};
	} else if (!skipBinary) {
		throw new FlabError('ERR_BAD_DATA', `${file}: expected text, got a binary file`, {file, hint: 'JSONL, CSV and Parquet are told by their extension: name the format.'});
	}
}
