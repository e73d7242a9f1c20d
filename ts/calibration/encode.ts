import {badArgument, FlabError, throwIfAborted} from '../errors.js';
import type {PackedTexts} from '../native/contract.js';
import type {Control} from '../progress.js';
import type {Encoder} from '../tokenizer/encoder.js';
import type {Text} from './texts.js';

/** Calibration texts as token ids. */
export type CalibrationTexts = PackedTexts & {
	/** [texts] UTF-8 bytes that the ids of each text stand for, for losses in nats per byte. */
	readonly bytes: Float64Array;
	/** [texts] */
	readonly sources: ReadonlyArray<{readonly file: string; readonly record: number}>;
	/** Texts that were cut at `maxTokens`. */
	readonly truncated: number;
	/** Different tokens at the ends of the texts. */
	readonly lastTokens: number;
	/** Different sequences of tokens. */
	readonly distinctTexts: number;
};

export type EncodeTextsInput = {
	readonly encoder: Encoder;
	readonly texts: AsyncIterable<Text>;
	/** How many texts to take; the first ones. */
	readonly maxTexts: number;
	/** Where to cut each text. */
	readonly maxTokens: number;
	/** Rows of the embedding: every id must be below. */
	readonly vocabulary: number;
};

/** Texts to encode in one go. */
const batchTexts = 64;

/**
 * The first texts as token ids, each cut at `maxTokens`. Texts that give no token are left out.
 *
 * @throws `ERR_BAD_DATA` if no text is left, or naming file and record for an id outside the vocabulary.
 */
export const encodeTexts = async (input: EncodeTextsInput, {signal}: Control = {}): Promise<CalibrationTexts> => {
	checkLimits(input);
	const {encoder, texts, maxTexts, maxTokens, vocabulary} = input;
	const rows: Row[] = [];
	let batch: Text[] = [];
	const takeIn = async (): Promise<void> => {
		throwIfAborted(signal);
		const encoded = await encoder.encodeTruncated(batch.map(({text}) => text), maxTokens);
		rows.push(...encoded.map((row, index) => ({...row, text: batch[index]!})).filter(({ids}) => ids.length > 0).slice(0, maxTexts - rows.length));
		batch = [];
	};

	for await (const text of texts) {
		batch.push(text);
		if (batch.length >= Math.min(batchTexts, maxTexts - rows.length)) {
			await takeIn();
		}

		if (rows.length >= maxTexts) {
			break;
		}
	}

	await takeIn();
	for (const {ids, text} of rows) {
		checkIds(ids, text, vocabulary);
	}

	return pack(rows);
};

/** What is wrong with a calibration set though it can be used, as sentences. */
export const calibrationWarnings = ({offsets, ids, lastTokens, distinctTexts}: CalibrationTexts): string[] => {
	const texts = offsets.length - 1;
	const warnings: string[] = [];
	if (texts > 1 && distinctTexts === 1) {
		warnings.push(`All ${texts} calibration texts are the same: the scores rest on a single text`);
	} else if (texts > 1 && lastTokens === 1) {
		warnings.push(
			`All ${texts} calibration texts end in the same token (${ids.at(-1)}): at positions "last" the model is only measured after this token. `
			+ 'Use positions "all", or texts that end in different places (add a field, or cut them shorter)',
		);
	}

	return warnings;
};

type Row = {readonly ids: Uint32Array; readonly bytes: number; readonly text: Text};

const pack = (rows: readonly Row[]): CalibrationTexts => {
	if (rows.length === 0) {
		throw new FlabError('ERR_BAD_DATA', 'The calibration set is empty: no text gives a token', {hint: 'Name files with texts, and the fields that hold them.'});
	}

	const offsets = new Int32Array(rows.length + 1);
	for (const [index, {ids}] of rows.entries()) {
		offsets[index + 1] = offsets[index]! + ids.length;
	}

	const ids = new Int32Array(offsets.at(-1)!);
	for (const [index, row] of rows.entries()) {
		ids.set(row.ids, offsets[index]);
	}

	return {
		ids,
		offsets,
		bytes: Float64Array.from(rows, ({bytes}) => bytes),
		sources: rows.map(({text: {file, record}}) => ({file, record})),
		truncated: rows.filter(({bytes, text}) => bytes < Buffer.byteLength(text.text)).length,
		lastTokens: new Set(rows.map(row => row.ids.at(-1))).size,
		distinctTexts: new Set(rows.map(row => row.ids.join(' '))).size,
	};
};

const checkIds = (ids: Uint32Array, {file, record}: Text, vocabulary: number): void => {
	const outside = ids.find(id => id >= vocabulary);
	if (outside !== undefined) {
		throw new FlabError('ERR_BAD_DATA', `${file}, record ${record}: expected token ids below ${vocabulary}, the size of the vocabulary, got ${outside}`, {
			file, hint: 'The tokenizer has tokens that the model has no row for: check that both belong together.',
		});
	}
};

const checkLimits = ({maxTexts, maxTokens}: EncodeTextsInput): void => {
	for (const [name, value] of Object.entries({maxTexts, maxTokens})) {
		if (!Number.isInteger(value) || value < 1) {
			throw badArgument(name, 'a whole number of at least 1', value);
		}
	}
};
