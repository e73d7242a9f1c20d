import {stat} from 'node:fs/promises';
import {badArgument, fileError, FlabError, throwIfAborted} from '../errors.js';
import type {Control} from '../progress.js';
import type {GivenTexts} from '../plan/texts.js';
import {readCsv} from './csv.js';
import {readGiven} from './given.js';
import {readJsonArray, readJsonLines} from './jsonl.js';
import {readParquet} from './parquet.js';
import {readPlainText} from './plain.js';
import type {FileRecord, ReadRecords} from './records.js';
import {endingsIn, walkFolder} from './walk.js';

/** One text of a corpus. */
export type Text = {
	readonly text: string;
	readonly file: string;
	/** Line (JSONL, CSV) or row (Parquet, JSON array) from 1; 1 for a whole file. */
	readonly record: number;
	/** Bytes of all sources read so far; compare with `sumOf` of its files. */
	readonly bytesRead?: number;
};

/** How the content of a file is read; `auto` goes by the file's extension. */
export type TextFormat = 'auto' | 'jsonl' | 'csv' | 'parquet' | 'text';

/** Where texts come from. */
export type TextSource = {
	/** Files and folders, of UTF-8 texts. Folders are walked in the order of names; .git, node_modules, links, binary files and texts in other encodings are passed over. */
	readonly paths: readonly string[];
	/** Fields of a record, joined in this order. Default: the first present of text, content, code, prompt. */
	readonly fields?: readonly string[];
	/** Extensions to read in folders (".py"). Default: those of source code; in folders without any, record files. */
	readonly extensions?: readonly string[];
	readonly format?: TextFormat;
	/** Texts of the caller instead of files. */
	readonly texts?: GivenTexts;
};

/**
 * The texts of a source, in order, streaming: one record, row group or plain file is in memory at a time. Empty texts are left out.
 *
 * @throws `ERR_READ` for a missing path, `ERR_BAD_DATA` naming file and record for one that can't be used.
 */
export async function * readTexts(source: TextSource, reading: Reading = {}): AsyncGenerator<Text> {
	yield * readFiles(await sourceFiles(source), source, reading);
}

/** What happens while texts are read. */
export type Reading = Control & {
	/** Told of a file of a folder that is passed over though it may be a text, in another encoding than UTF-8. */
	readonly onPassedOver?: (file: string) => void;
};

/** The texts of a source whose files are known (see `sourceFiles`). */
export async function * readFiles(files: readonly SourceFile[], {fields, format, texts}: TextSource, {signal, onPassedOver}: Reading = {}): AsyncGenerator<Text> {
	if (texts !== undefined) {
		yield * readGiven(texts, {signal});
		return;
	}

	let bytesBefore = 0;
	// Files are begun ahead: what is told of one waits until it is its turn.
	const passedOver = new Set<string>();
	const open = ({file, bytes, inFolder}: SourceFile): AsyncGenerator<FileRecord> => readerOf(file, format)({file, bytes, fields, skipBinary: inFolder, onPassedOver: () => passedOver.add(file)});
	for await (const {file, records} of startedAhead(files, open)) {
		throwIfAborted(signal);
		for await (const {text, record, bytesRead} of records) {
			throwIfAborted(signal);
			if (text !== '') {
				yield {text, file: file.file, record, bytesRead: bytesBefore + bytesRead};
			}
		}

		if (passedOver.has(file.file)) {
			onPassedOver?.(file.file);
		}

		bytesBefore += file.bytes;
	}
}

/** Files that are begun before it is their turn, and bytes that they may have together. */
const filesAhead = 16;
const bytesAhead = 1 << 23;

type Started = {readonly file: SourceFile; readonly records: AsyncGenerator<FileRecord>; readonly first: Promise<IteratorResult<FileRecord>>};

// Small files take longer to open than to read: the first records of the next ones are asked for ahead.
async function * startedAhead(files: readonly SourceFile[], open: (file: SourceFile) => AsyncGenerator<FileRecord>): AsyncGenerator<{readonly file: SourceFile; readonly records: AsyncIterable<FileRecord>}> {
	const started: Started[] = [];
	let next = 0;
	try {
		while (next < files.length || started.length > 0) {
			while (next < files.length && (started.length === 0 || (started.length < filesAhead && sumOf([...started.map(({file}) => file), files[next]!]) <= bytesAhead))) {
				const file = files[next++]!;
				const records = open(file);
				const first = records.next();
				// It may fail before it is its turn, or never have one.
				first.catch(() => undefined);
				started.push({file, records, first});
			}

			const {file, records, first} = started[0]!;
			yield {file, records: resumed(records, first)};
			started.shift();
		}
	} finally {
		await Promise.all(started.map(async ({records}) => records.return(undefined)));
	}
}

async function * resumed(records: AsyncGenerator<FileRecord>, first: Promise<IteratorResult<FileRecord>>): AsyncGenerator<FileRecord> {
	const {done, value} = await first;
	if (!done) {
		yield value;
		yield * records;
	}
}

/** Bytes of files together. */
export const sumOf = (files: readonly SourceFile[]): number => files.reduce((sum, {bytes}) => sum + bytes, 0);

/** A file to read. */
export type SourceFile = {readonly file: string; readonly bytes: number; readonly inFolder: boolean};

/** The files of a source in the order they are read. @throws `ERR_READ` for a missing path, `ERR_BAD_DATA` for a folder with nothing to read. */
export const sourceFiles = async ({paths, extensions, texts}: TextSource): Promise<SourceFile[]> => {
	if (texts !== undefined) {
		return [];
	}

	if (paths.length === 0) {
		throw badArgument('paths', 'at least one file or folder', paths);
	}

	const files: SourceFile[] = [];
	for (const path of paths) {
		const {isFolder, bytes} = await statOf(path);
		if (!isFolder) {
			files.push({file: path, bytes, inFolder: false});
			continue;
		}

		const found = await walkFolder(path, extensions);
		if (found.length === 0) {
			throw await nothingToRead(path, extensions);
		}

		for (let begin = 0; begin < found.length; begin += filesAhead) {
			files.push(...await Promise.all(found.slice(begin, begin + filesAhead).map(async file => ({file, bytes: (await statOf(file)).bytes, inFolder: true}))));
		}
	}

	return files;
};

const nothingToRead = async (folder: string, extensions: readonly string[] | undefined): Promise<FlabError> => {
	const wanted = extensions === undefined ? 'source or record files' : `files that end in ${extensions.join(', ')}`;
	return new FlabError('ERR_BAD_DATA', `${folder}: expected ${wanted} in this folder, found ${await endingsIn(folder)}`, {
		file: folder, hint: `Name ${extensions === undefined ? 'the' : 'other'} extensions to read (--extension), or the files themselves.`,
	});
};

const statOf = async (path: string): Promise<{readonly isFolder: boolean; readonly bytes: number}> => {
	try {
		const found = await stat(path);
		return {isFolder: found.isDirectory(), bytes: found.size};
	} catch (cause) {
		throw fileError('read', path, cause);
	}
};

const readerOf = (file: string, format: TextFormat = 'auto'): ReadRecords => {
	const extension = /\.[^./\\]*$/.exec(file)?.[0].toLowerCase() ?? '';
	const reader = format === 'auto' ? readersByExtension[extension] ?? readPlainText : readersByFormat[format];
	if (reader === undefined) {
		throw badArgument('format', "'auto', 'jsonl', 'csv', 'parquet' or 'text'", format);
	}

	return reader;
};

const readersByFormat: Readonly<Record<Exclude<TextFormat, 'auto'>, ReadRecords>> = {
	jsonl: readJsonLines,
	csv: readCsv,
	parquet: readParquet,
	text: readPlainText,
};

const readersByExtension: Readonly<Record<string, ReadRecords>> = {
	'.jsonl': readJsonLines,
	'.ndjson': readJsonLines,
	'.json': readJsonArray,
	'.csv': readCsv,
	'.parquet': readParquet,
};
