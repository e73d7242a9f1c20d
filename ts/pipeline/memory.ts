import {FlabError} from '../errors.js';
import type {Demand, ModelHandle, PackedTexts} from '../native/contract.js';
import {deviceHints} from '../native/deviceHints.js';
import {guarded} from '../native/jobs.js';
import {threadsFor} from './source.js';
import type {Source} from './source.js';

/** What a run will do with its texts. */
export type Demands = {
	readonly model: ModelHandle;
	readonly calibration?: PackedTexts;
	readonly evaluation?: PackedTexts;
	/** Layers that are scored as candidates; 0: none are. */
	readonly layers: number;
	/** Most views that are measured at a time; 0: none are. */
	readonly views: number;
	/** Whether logits are compared in the end, in f32. */
	readonly compares: boolean;
	/** Length of tokenizer.json; 0 where no text is read. */
	readonly tokenizerBytes: number;
	/** Whether a vocabulary was chosen before. */
	readonly counted: boolean;
	/** Threads of the run. */
	readonly threads: number | undefined;
};

/** What counting takes memory for. */
export type CountingDemands = {
	/** Length of tokenizer.json. */
	readonly tokenizerBytes: number;
	/** Absent where nobody knows before the texts were read. */
	readonly corpusBytes?: number;
	/** Threads that cut texts. */
	readonly threads: number;
};

// The numbers below are from resident memory of this package's command line on Node 20, 22 and 24, x64, the largest of the three, with
// tokenizers of 6 k, 50 k and 150 k tokens (0.3, 2 and 10 MB) and corpora of up to 190 MB.

const megabyte = 1e6;
// A process is never twice of the same size: where it is larger than usual, what is named leaves room for that.
const noise = 16 * megabyte;
// As native jobs leave alone (kReserve in native/base/memory.cc).
const nativeReserve = 32 * 2 ** 20;
// Allocators and JavaScript's heap, while native jobs run.
const growth = 8 * megabyte;
// The tokenizer that was written is read for the verification, beside the original's: its text, what JSON makes of it, the library's.
const growthPerTokenizerByte = 32;

// Texts that were read, their pieces, and the heaps of the threads that cut them.
const mostToCount = 760 * megabyte;
const leastToCount = 170 * megabyte;
const perCorpusByte = 30;
const perCuttingThread = 12 * megabyte;

// Node, this package, four threads that hash at most, the tokenizer. It is what a check goes by, so that the same input is told the same number.
const usualProcess = (threads: number, tokenizerBytes: number, counted: boolean): number =>
	(counted ? 130 : 110) * megabyte + 12 * megabyte * Math.min(4, threads) + (counted ? 35 : 25) * tokenizerBytes;

/**
 * Refuses a limit of memory before a corpus is counted, if the counting would not fit.
 *
 * @throws ERR_MEMORY with the smallest limit that works
 */
export const checkMemoryToCount = (maxMemory: number | undefined, {tokenizerBytes, corpusBytes = Infinity, threads}: CountingDemands): void => {
	const more = Math.min(mostToCount, leastToCount + perCorpusByte * corpusBytes) + perCuttingThread * threads + growthPerTokenizerByte * tokenizerBytes;
	requireMemory(maxMemory, usualProcess(threads, tokenizerBytes, false), more, 'this tokenizer and corpus', 'Pass a larger maxMemory (--max-memory), or make the plan without a limit and carry it out (flab-pruner apply) with it.');
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
	const {compares, tokenizerBytes, counted, threads} = demands;
	const more = growth + (compares ? growthPerTokenizerByte * tokenizerBytes : 0) + nativeReserve + leastMemory(source, demands).host;
	requireMemory(maxMemory, usualProcess(threadsFor(source, threads), tokenizerBytes, counted), more, 'this model and these texts', 'Pass a larger maxMemory (--max-memory), or use shorter calibration texts (--max-tokens).');
};

/** @throws ERR_DEVICE_MEMORY for a device that has no room for the run, not even with streamed weights */
export const checkDeviceMemory = (source: Source, demands: Demands): void => {
	const {device, deviceLeft} = leastMemory(source, demands);
	if (deviceLeft < device) {
		throw new FlabError('ERR_DEVICE_MEMORY', `device: expected at least ${device} bytes of device memory for this model and these texts, got ${deviceLeft}`, {hint: deviceHints['ERR_DEVICE_MEMORY']});
	}
};

const requireMemory = (maxMemory: number | undefined, usual: number, more: number, what: string, hint: string): void => {
	const resident = process.memoryUsage.rss();
	if (maxMemory !== undefined && Math.max(usual, resident) + more > maxMemory) {
		const named = usual > resident ? usual : resident + noise;
		throw new FlabError('ERR_MEMORY', `maxMemory: expected at least ${formatLimit(named + more, maxMemory)} for ${what}, got ${formatLimit(maxMemory, maxMemory)}`, {hint});
	}
};

/** Bytes in the units that a limit was given in: binary if it is whole in them, else decimal; rounded up. */
const formatLimit = (bytes: number, limit: number): string => {
	const [unit, name] = limit % 2 ** 20 === 0 ? [2 ** 20, 'MiB'] as const : [megabyte, 'MB'] as const;
	return `${Math.ceil(bytes / unit)} ${name}`;
};

const leastMemory = ({native, model}: Source, {model: handle, calibration, evaluation, layers, views, compares}: Demands): Demand => {
	const least = (texts: PackedTexts | undefined, operation: 'scoreLayers' | 'measure' | 'compare', candidates: number, model = handle): readonly Demand[] =>
		texts === undefined || texts.ids.length === 0 ? [] : [guarded(() => native.leastMemory({model, texts, operation, candidates}))];
	// Any ids do: only lengths count. The verification's own texts are no longer than these.
	const compared = calibration ?? {ids: new Int32Array(128), offsets: Int32Array.of(0, 128)};
	const all = [
		...layers > 0 ? least(calibration, 'scoreLayers', layers) : [],
		...views > 0 ? least(calibration, 'measure', views) : [],
		...views > 0 ? least(evaluation, 'measure', views) : [],
		...compares ? least(compared, 'compare', 0, model('f32')) : [],
	];
	const most = (of: keyof Demand): number => Math.max(0, ...all.map(demand => demand[of]));
	return {host: most('host'), device: most('device'), deviceLeft: most('deviceLeft')};
};
