import {createHash} from 'node:crypto';
import {encodeTexts} from '../calibration/encode.js';
import type {CalibrationTexts} from '../calibration/encode.js';
import {heldTexts} from '../calibration/given.js';
import {readTexts} from '../calibration/texts.js';
import type {Reading} from '../calibration/texts.js';
import type {ResolvedSampleSource} from '../plan/options.js';
import type {Control} from '../progress.js';
import {createEncoder} from '../tokenizer/encoder.js';
import type {Encoder} from '../tokenizer/encoder.js';
import type {TokenizerFiles} from '../tokenizer/files.js';

type Sources = {readonly calibration?: ResolvedSampleSource; readonly evaluation?: ResolvedSampleSource};

/** Options whose samples can be read as often as a run needs them: of texts that the caller gives, those that are taken are held in memory. */
export const withReadableTexts = <Options extends Sources>(options: Options, control: Control): Options => {
	const {calibration, evaluation} = options;
	return {
		...options,
		...calibration?.texts && {calibration: {...calibration, texts: heldTexts(calibration.texts, calibration.maxTexts, control)}},
		...evaluation?.texts && {evaluation: {...evaluation, texts: heldTexts(evaluation.texts, evaluation.maxTexts, control)}},
	};
};

/** How a text becomes rows of the original embedding. */
export type Reader = {
	readonly encoder: Encoder;
	/** Ids that the encoder gives are below this. */
	readonly vocabulary: number;
	/** Original ids of the encoder's ids; absent when they are the same. */
	readonly keep?: Uint32Array;
};

/** Reads with the original tokenizer. */
export const originalReader = (files: TokenizerFiles, vocabulary: number): Reader => ({encoder: createEncoder(files), vocabulary});

/** Reads with a pruned tokenizer: the tokens that the pruned model will see, as ids of the original. */
export const prunedReader = (encoder: Encoder, keep: Uint32Array): Reader => ({encoder, vocabulary: keep.length, keep});

/** The texts of a calibration or evaluation source, as ids of the original. */
export const readSample = async ({encoder, vocabulary, keep}: Reader, source: ResolvedSampleSource, control: Reading): Promise<CalibrationTexts> => {
	const {maxTexts, maxTokens} = source;
	const packed = await encodeTexts({encoder, texts: readTexts(source, control), maxTexts, maxTokens, vocabulary}, control);
	return keep ? {...packed, ids: packed.ids.map(id => keep[id]!)} : packed;
};

/** What a plan says about a sample; the hash is of the token ids and where the texts begin. */
export const describeSample = ({ids, offsets, bytes}: CalibrationTexts): {texts: number; tokens: number; bytes: number; sha256: string} => ({
	texts: offsets.length - 1,
	tokens: ids.length,
	bytes: totalBytes(bytes),
	sha256: createHash('sha256').update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength)).update(new Uint8Array(offsets.buffer, offsets.byteOffset, offsets.byteLength)).digest('hex'),
});

/** UTF-8 bytes of all texts of a sample. */
export const totalBytes = (bytes: Float64Array): number => bytes.reduce((sum, value) => sum + value, 0);
