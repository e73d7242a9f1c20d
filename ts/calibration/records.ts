import {describe, FlabError} from '../errors.js';

/** One record of a file; `bytesRead` counts from the start of the file. */
export type FileRecord = {readonly text: string; readonly record: number; readonly bytesRead: number};

export type ReadRecordsInput = {
	readonly file: string;
	/** Length of the file. */
	readonly bytes: number;
	readonly fields: readonly string[] | undefined;
	/** Pass over a file that is no UTF-8 text instead of refusing it. */
	readonly skipBinary: boolean;
	/** Told of a file that is passed over though it may be a text, in another encoding. */
	readonly onPassedOver?: () => void;
};

/** A reader of one format: the records of a file, in order. */
export type ReadRecords = (input: ReadRecordsInput) => AsyncGenerator<FileRecord>;

/** Fields that hold a record's text by custom, the first present one counts. */
export const defaultFields = ['text', 'content', 'code', 'prompt'] as const;

/**
 * The text of a record: its fields joined in the order given.
 *
 * @throws `ERR_BAD_DATA` naming file and line, for a record that is no object, lacks a field, or has one that is no string.
 */
export const textOf = (record: unknown, fields: readonly string[] | undefined, where: Place): string => {
	if (typeof record !== 'object' || record === null || Array.isArray(record)) {
		throw badRecord(where, `expected an object, got ${describe(record)}`);
	}

	const names = fields ?? fieldsPresent(Object.keys(record), where);
	return names.map(name => {
		const value: unknown = Object.hasOwn(record, name) ? (record as Record<string, unknown>)[name] : undefined;
		if (typeof value !== 'string') {
			const got = value === undefined ? `found ${Object.keys(record).slice(0, 8).join(', ') || 'no fields'}` : `got ${describe(value)}`;
			throw badRecord(where, `expected a string in the field "${name}", ${got}`);
		}

		return value;
	}).join('');
};

/** The default field among those present. @throws `ERR_BAD_DATA` if none is. */
export const fieldsPresent = (present: readonly string[], where: Place): readonly string[] => {
	const field = defaultFields.find(name => present.includes(name));
	if (field === undefined) {
		throw badRecord(where, `expected a field ${defaultFields.slice(0, -1).join(', ')} or ${defaultFields.at(-1)}, found ${present.slice(0, 8).join(', ') || 'none'}`);
	}

	return [field];
};

/** Where a record is: `unit` is what `record` counts. */
export type Place = {readonly file: string; readonly unit?: 'line' | 'record' | 'row'; readonly record?: number};

/** The error of a record that can't be used. */
export const badRecord = ({file, unit, record}: Place, what: string, cause?: unknown): FlabError =>
	new FlabError('ERR_BAD_DATA', `${file}${unit === undefined ? '' : `, ${unit} ${record}`}: ${what}`, {
		file, cause, hint: 'Correct the record, or name the fields that hold the text.',
	});

/** The error of a text in another encoding. */
export const notUtf8 = ({file, unit, record}: Place, cause?: unknown): FlabError =>
	new FlabError('ERR_BAD_DATA', `${file}${unit === undefined ? '' : `, ${unit} ${record}`}: expected UTF-8 text, got other bytes`, {
		file, cause, hint: 'Convert the file to UTF-8, as iconv does.',
	});
