import {FlabError} from '../errors.js';
import type {ModelHandle, PackedTexts} from '../native/contract.js';
import type {Source} from './source.js';

/** What a run will do with its texts. */
export type Demands = {
	readonly model: ModelHandle;
	readonly calibration?: PackedTexts;
	readonly evaluation?: PackedTexts;
	/** Layers that are scored as candidates; 0: none are. */
	readonly layers: number;
	/** Most views that are measured at a time. */
	readonly views: number;
	/** Whether logits are compared in the end, in f32. */
	readonly compares: boolean;
};

const mebibyte = 2 ** 20;
// A process is never twice of the same size: what is named is rounded up, so that it works.
const step = 16 * mebibyte;
// Native jobs leave 64 MiB alone; JavaScript's heap and the threads that hash may still grow by the rest.
const reserve = 144 * mebibyte;
// The verification reads the written tokenizer beside the original's.
const reserveToCompare = 64 * mebibyte;

// Pieces of a corpus, two tokenizers, and the heaps of the threads that cut; measured with up to half a gigabyte of source code.
const reserveToCount = 480 * mebibyte;
// The library's vocabularies and merges, of both tokenizers, in bytes of a tokenizer.json.
const tokenizerGrowth = 32;

/**
 * Refuses a limit of memory before a corpus is counted, if the counting would not fit.
 *
 * @throws ERR_MEMORY with the smallest limit that works
 */
export const checkMemoryToCount = (maxMemory: number | undefined, tokenizerBytes: number): void => {
	if (maxMemory !== undefined) {
		requireMemory(maxMemory, reserveToCount + tokenizerGrowth * tokenizerBytes, 'this tokenizer and corpus', 'Pass a larger maxMemory (--max-memory), or make the plan without a limit and carry it out (flab-pruner apply) with it.');
	}
};

/**
 * Refuses a limit of memory before anything long is done, if a later part of the run would not fit.
 *
 * @throws ERR_MEMORY with the smallest limit that works
 */
export const checkMemory = (source: Source, maxMemory: number | undefined, demands: Demands): void => {
	if (maxMemory === undefined) {
		return;
	}

	// What counting a corpus left behind is not held against what comes.
	source.native.returnFreeMemory();
	const needed = reserve + (demands.compares ? reserveToCompare : 0) + leastMemory(source, demands);
	requireMemory(maxMemory, needed, 'this model and these texts', 'Pass a larger maxMemory (--max-memory), or use shorter calibration texts (--max-tokens).');
};

const requireMemory = (maxMemory: number, more: number, what: string, hint: string): void => {
	const needed = process.memoryUsage.rss() + more;
	if (needed > maxMemory) {
		throw new FlabError('ERR_MEMORY', `maxMemory: expected at least ${Math.ceil(needed / step + 1) * step / mebibyte} MiB for ${what}, got ${Math.floor(maxMemory / mebibyte)} MiB`, {hint});
	}
};

const leastMemory = ({native, model}: Source, {model: handle, calibration, evaluation, layers, views, compares}: Demands): number => {
	const least = (texts: PackedTexts | undefined, operation: 'scoreLayers' | 'measure' | 'compare', candidates: number, model = handle): number =>
		texts === undefined || texts.ids.length === 0 ? 0 : native.leastMemory({model, texts, operation, candidates});
	// Any ids do: only lengths count. The verification's own texts are no longer than these.
	const compared = calibration ?? {ids: new Int32Array(128), offsets: Int32Array.of(0, 128)};
	return Math.max(
		layers > 0 ? least(calibration, 'scoreLayers', layers) : 0,
		least(calibration, 'measure', views),
		least(evaluation, 'measure', views),
		compares ? least(compared, 'compare', 0, model('f32')) : 0,
	);
};
