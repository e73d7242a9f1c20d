import {isUtf8} from 'node:buffer';
import {readFile} from 'node:fs/promises';
import {fileError, FlabError} from '../errors.js';
import {notUtf8, type FileRecord, type ReadRecordsInput} from './records.js';

/** Where binary files show themselves, as Git looks: a zero byte near the start. */
const sniffedBytes = 8000;

/** A whole file as one text, with the ends of its lines as they are. A file that is no UTF-8 text is refused, or passed over. */
export async function * readPlainText({file, bytes, skipBinary, onPassedOver}: ReadRecordsInput): AsyncGenerator<FileRecord> {
	const content = await readFile(file).catch((cause: unknown) => {
		throw fileError('read', file, cause);
	});
	const isBinary = content.subarray(0, sniffedBytes).includes(0);
	if (!isBinary && isUtf8(content)) {
		yield {text: content.toString('utf8').replace(/^\uFEFF/, ''), record: 1, bytesRead: bytes};
	} else if (!skipBinary) {
		throw isBinary
			? new FlabError('ERR_BAD_DATA', `${file}: expected text, got a binary file`, {file, hint: 'JSONL, CSV and Parquet are told by their extension: name the format.'})
			: notUtf8({file});
	} else if (!isBinary) {
		onPassedOver?.();
	}
}
