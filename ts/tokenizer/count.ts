import {FlabError} from '../errors.js';
import type {Control} from '../progress.js';
import type {Text} from '../calibration/texts.js';
import {inBatches} from './batches.js';
import {withRoom} from './dictionary.js';
import type {Encoder} from './encoder.js';
import type {PieceBatch, PieceReader} from './pieces.js';

/** What a corpus consists of. */
export type TokenCounts = {
	/** [size] how often each token id occurs. */
	readonly counts: Float64Array;
	readonly texts: number;
	/** UTF-8 bytes of all texts. */
	readonly bytes: number;
	readonly tokens: number;
};

export type CountTokensInput = {
	readonly encoder: Encoder;
	readonly texts: AsyncIterable<Text>;
	/** Rows of the embedding: every id must be below. */
	readonly size: number;
	/** Bytes of the sources, for progress; 0 or absent if unknown. */
	readonly totalBytes?: number;
	/** Of the same encoder: counts the texts' pieces instead of the texts. */
	readonly pieces?: PieceReader;
};

/**
 * Counts the tokens of a corpus, streaming: a few megabytes of text are in memory at a time.
 *
 * @throws `ERR_BAD_DATA` naming file and record, if a text can't be encoded or has an id of at least `size`.
 */
export const countTokens = async ({encoder, texts, size, totalBytes = 0, pieces}: CountTokensInput, {signal, onProgress}: Control = {}): Promise<TokenCounts> => {
	const counts = new Float64Array(size);
	const sums = {texts: 0, bytes: 0};
	const add = (ids: Uint32Array, text: Text, times = 1): void => {
		for (const id of ids) {
			if (id >= size) {
				throw outsideVocabulary(text, id, size);
			}

			counts[id]! += times;
		}
	};

	const addBatch = (batch: readonly Text[]): void => {
		sums.texts += batch.length;
		sums.bytes += batch.reduce((bytes, {text}) => bytes + Buffer.byteLength(text), 0);
		onProgress?.({phase: 'count', done: batch.at(-1)?.bytesRead ?? sums.bytes, total: totalBytes, unit: 'bytes'});
	};

	const addRows = (rows: readonly Uint32Array[], batch: readonly Text[]): void => {
		for (const [index, ids] of rows.entries()) {
			add(ids, batch[index]!);
		}
	};

	if (pieces) {
		const tally = createTally(pieces, add);
		await pieces.read(texts, async batch => {
			const whole = batch.whole.map(index => batch.texts[index]!);
			addRows(await encodeTexts(encoder, whole), whole);
			tally.add(batch);
			addBatch(batch.texts);
		}, tally.finish);
		tally.finish();
	} else {
		await inBatches(texts, async batch => encodeTexts(encoder, batch), (rows, batch) => {
			addRows(rows, batch);
			addBatch(batch);
		}, {signal});
	}

	return {counts, ...sums, tokens: counts.reduce((sum, count) => sum + count, 0)};
};

/** How often each piece occurs; `finish` passes that on to `addIds` and begins anew. An id that is refused is refused with the text that first has it. */
const createTally = ({specials, size, idsOf}: PieceReader, addIds: (ids: Uint32Array, text: Text, times: number) => void) => {
	let times = new Float64Array(1 << 12);
	let texts = 0;
	// For messages; what is added in the end was looked at before.
	let anyText: Text | undefined;
	return {
		add({texts: batch, pieces, ends, whole}: PieceBatch): void {
			times = withRoom(times, size());
			let at = 0;
			for (const [index, text] of batch.entries()) {
				if (anyText === undefined) {
					addIds(specials, text, 0);
					anyText = text;
				}

				for (const end = ends[index]!; at < end; at++) {
					const piece = pieces[at]!;
					if (times[piece] === 0) {
						addIds(idsOf(piece), text, 0);
					}

					times[piece]!++;
				}
			}

			texts += batch.length - whole.length;
		},
		finish(): void {
			if (anyText) {
				addIds(specials, anyText, texts);
				for (let piece = 0; piece < size(); piece++) {
					addIds(idsOf(piece), anyText, times[piece] ?? 0);
				}
			}

			times.fill(0);
			texts = 0;
		},
	};
};

/** Ids of a batch; a failure names the text. @throws `ERR_BAD_DATA` */
export const encodeTexts = async (encoder: Encoder, batch: readonly Text[]): Promise<Uint32Array[]> => {
	try {
		return batch.length === 0 ? [] : await encoder.encode(batch.map(({text}) => text));
	} catch (error) {
		for (const text of batch) {
			await encoder.encode([text.text]).catch((cause: Error) => {
				throw new FlabError('ERR_BAD_DATA', `${place(text)}: ${cause.message}`, {file: text.file, cause});
			});
		}

		throw error;
	}
};

/** "corpus.jsonl, record 7", for messages. */
export const place = ({file, record}: Pick<Text, 'file' | 'record'>): string => `${file}, record ${record}`;

/** The error for an id that the embedding has no row for. */
export const outsideVocabulary = (text: Text, id: number, size: number): FlabError =>
	new FlabError('ERR_BAD_DATA', `${place(text)}: expected token ids below ${size}, the size of the vocabulary, got ${id}`, {
		file: text.file, hint: 'The tokenizer has tokens that the model has no row for: check that both belong together.',
	});
