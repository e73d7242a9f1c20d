import {createReadStream} from 'node:fs';
import {pipeline} from 'node:stream';
import {CsvError, parse} from 'csv-parse';
import {fileError} from '../errors.js';
import {badRecord, notUtf8, textOf, type FileRecord, type ReadRecordsInput} from './records.js';

/** No field of a sane file is longer; an open quote would swallow the rest of it. */
const maxRecordBytes = 1 << 28;

/** Records of a CSV file with a header line; `record` is the line where the record begins, as an editor counts. */
export async function * readCsv({file, fields}: ReadRecordsInput): AsyncGenerator<FileRecord> {
	const parser = parse({columns: true, bom: true, info: true, raw: true, skip_empty_lines: true, max_record_size: maxRecordBytes});
	// The pipeline ends both streams with either; the loop below sees its errors.
	pipeline(decoded(file), parser, () => undefined);
	// The parser counts CRLF inside quotes as two lines.
	let countedTwice = 0;
	try {
		for await (const {record, raw, info} of parser as AsyncIterable<CsvRow>) {
			// `info.lines` is the record's last line; what is raw may begin and end with the ends of lines around it.
			countedTwice += occurrences(raw, /\r\n/g);
			const begin = info.lines - countedTwice - occurrences(raw.trim(), /\n/g);
			yield {text: textOf(record, fields, {file, unit: 'line', record: begin}), record: begin, bytesRead: info.bytes};
		}
	} catch (cause) {
		if (cause instanceof CsvError) {
			throw badRecord({file, unit: 'line', record: Number(cause.lines) - countedTwice}, `not valid CSV: ${cause.message}`, cause);
		}

		throw fileError('read', file, cause);
	}
}

// The parser would replace other bytes. A byte-order mark is left to it.
async function * decoded(file: string): AsyncGenerator<string> {
	const decoder = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true});
	const strictly = (bytes?: Buffer): string => {
		try {
			return decoder.decode(bytes, {stream: bytes !== undefined});
		} catch (cause) {
			throw notUtf8({file}, cause);
		}
	};

	for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
		yield strictly(chunk);
	}

	yield strictly();
}

const occurrences = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

type CsvRow = {readonly record: Record<string, string>; readonly raw: string; readonly info: {readonly lines: number; readonly bytes: number}};
