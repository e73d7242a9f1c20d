import {asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, type AsyncBuffer, type FileMetaData} from 'hyparquet';
import {compressors} from 'hyparquet-compressors';
import {fileError, FlabError} from '../errors.js';
import {badRecord, fieldsPresent, textOf, type FileRecord, type ReadRecordsInput} from './records.js';

/** Rows of a Parquet file; one row group of the columns asked for is in memory at a time. */
export async function * readParquet({file, bytes, fields}: ReadRecordsInput): AsyncGenerator<FileRecord> {
	const buffer = await asyncBufferFromFile(file).catch((cause: unknown) => {
		throw fileError('read', file, cause);
	});
	const metadata = await orBadFile(file, parquetMetadataAsync(buffer));
	const columns = columnsToRead(metadata, fields, file);
	const rows = Number(metadata.num_rows);
	let row = 0;
	for (const group of metadata.row_groups) {
		const end = row + Number(group.num_rows);
		for (const record of await orBadFile(file, readRows(buffer, metadata, columns, row, end))) {
			row++;
			yield {text: textOf(record, columns, {file, unit: 'row', record: row}), record: row, bytesRead: Math.round(bytes * row / rows)};
		}
	}
}

const readRows = async (file: AsyncBuffer, metadata: FileMetaData, columns: readonly string[], rowStart: number, rowEnd: number) =>
	parquetReadObjects({file, metadata, columns: [...columns], rowStart, rowEnd, compressors});

const columnsToRead = (metadata: FileMetaData, fields: readonly string[] | undefined, file: string): readonly string[] => {
	const [root] = metadata.schema;
	const present = metadata.schema.slice(1, 1 + (root?.num_children ?? 0)).map(({name}) => name);
	const wanted = fields ?? fieldsPresent(present, {file});
	const missing = wanted.find(name => !present.includes(name));
	if (missing !== undefined) {
		throw badRecord({file}, `expected a column "${missing}", found ${present.slice(0, 8).join(', ') || 'none'}`);
	}

	return wanted;
};

const orBadFile = async <Value>(file: string, value: Promise<Value>): Promise<Value> => value.catch((cause: unknown) => {
	const {code, message} = cause as NodeJS.ErrnoException;
	throw code === undefined
		? new FlabError('ERR_BAD_DATA', `${file}: not a readable Parquet file: ${message}`, {file, cause, hint: 'The file is damaged or incomplete: fetch it again.'})
		: fileError('read', file, cause);
});
