import {FlabError} from '../errors.js';
import type {Control} from '../progress.js';
import type {Text} from '../calibration/texts.js';
import {inBatches} from './batches.js';
import type {Encoder} from './encoder.js';

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
};

/**
 * Counts the tokens of a corpus, streaming: about two megabytes of text are in memory at a time.
 *
 * @throws `ERR_BAD_DATA` naming file and record, if a text can't be encoded or has an id of at least `size`.
 */
export const countTokens = async ({encoder, texts, size, totalBytes = 0}: CountTokensInput, {signal, onProgress}: Control = {}): Promise<TokenCounts> => {
	const counts = new Float64Array(size);
	const sums = {texts: 0, bytes: 0, tokens: 0};
	await inBatches(texts, async batch => encodeTexts(encoder, batch), (rows, batch) => {
		for (const [index, ids] of rows.entries()) {
			const text = batch[index]!;
			for (const id of ids) {
				if (id >= size) {
					throw outsideVocabulary(text, id, size);
				}

				counts[id]!++;
			}

			sums.texts++;
			sums.bytes += Buffer.byteLength(text.text);
			sums.tokens += ids.length;
		}

		onProgress?.({phase: 'count', done: batch.at(-1)?.bytesRead ?? sums.bytes, total: totalBytes, unit: 'bytes'});
	}, signal);
	return {counts, ...sums};
};

/** Ids of a batch; a failure names the text. @throws `ERR_BAD_DATA` */
export const encodeTexts = async (encoder: Encoder, batch: readonly Text[]): Promise<Uint32Array[]> => {
	try {
		return await encoder.encode(batch.map(({text}) => text));
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
