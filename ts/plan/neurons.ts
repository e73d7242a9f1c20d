import {FlabError, badArgument} from '../errors.js';
import {neuronStrategies, type FfnStrategy, type NeuronStrategy, type PositionalStrategy} from './choices.js';
import {randomStream} from './random.js';

/** The strategies that a choice is made among: all of them for `auto`, else the one asked for. */
export const candidateStrategies = (strategy: FfnStrategy): readonly NeuronStrategy[] => strategy === 'auto' ? neuronStrategies : [strategy];

/** One layer's choice by place: of `fullWidth` neurons, `count` stay. */
export type PositionalChoice = {
	readonly strategy: PositionalStrategy;
	readonly fullWidth: number;
	readonly count: number;
	/** For 'random': seed of the run, and index of the layer in the original checkpoint, so that every layer draws its own neurons. */
	readonly seed: number;
	readonly layer: number;
};

/**
 * Neurons to keep by their place, ascending: the first (`top`), the last (`bottom`), those in the centre (`middle`, one more dropped at the end
 * when the rest is odd), or a draw without repetition (`random`).
 *
 * @throws ERR_BAD_ARGUMENT if `count` is not from 1 to `fullWidth`
 */
export const keepByPlace = ({strategy, fullWidth, count, seed, layer}: PositionalChoice): Uint32Array => {
	checkCount(count, fullWidth);
	if (strategy === 'random') {
		const next = randomStream(seed, layer);
		return keepLargest(Float64Array.from({length: fullWidth}, next), count);
	}

	const begin = {top: 0, bottom: fullWidth - count, middle: Math.floor((fullWidth - count) / 2)}[strategy];
	return Uint32Array.from({length: count}, (_, place) => begin + place);
};

/**
 * Indices of the `count` largest scores, ascending, so that slicing reads the checkpoint forward only. Ties go to the lower index: the same
 * scores give the same model.
 *
 * @param scores [F], bigger is more worth keeping
 * @throws ERR_BAD_ARGUMENT if `count` is not from 1 to F, ERR_BAD_DATA if a score is NaN
 */
export const keepLargest = (scores: Float64Array | Float32Array, count: number): Uint32Array => {
	checkCount(count, scores.length);
	const undefinedAt = scores.findIndex(Number.isNaN);
	if (undefinedAt !== -1) {
		throw new FlabError('ERR_BAD_DATA', `Neuron ${undefinedAt}: expected a score, got NaN`, {hint: 'The weights or activations hold values that are not numbers: check the checkpoint, or compute in f32.'});
	}

	// Subtracting equal infinities gives NaN, which falls through to the index as a tie does.
	const byScore = Uint32Array.from(scores, (_, index) => index).sort((a, b) => scores[b]! - scores[a]! || a - b);
	return byScore.slice(0, count).sort();
};

/** `keepLargest` for each layer of a ranking [layers, F], row-major. */
export const keepLargestOfLayers = (scores: Float64Array, layers: number, count: number): readonly Uint32Array[] => {
	const width = scores.length / layers;
	return Array.from({length: layers}, (_, layer) => keepLargest(scores.subarray(layer * width, (layer + 1) * width), count));
};

/** How clear a layer's cut was. */
export type ScoreSummary = {
	readonly minKept: number;
	readonly meanKept: number;
	/** null when nothing was dropped */
	readonly maxDropped: number | null;
	readonly meanDropped: number | null;
	/** Share of the sum of all scores that the kept neurons hold (0 to 1), null when the sum is 0. */
	readonly shareKept: number | null;
};

/** Summary of one layer's scores [F] against the neurons kept. */
export const summarizeScores = (scores: Float64Array, keep: Uint32Array): ScoreSummary => {
	const keptSet = new Set(keep);
	const kept = scores.filter((_, index) => keptSet.has(index));
	const dropped = scores.filter((_, index) => !keptSet.has(index));
	const keptSum = sum(kept);
	const droppedSum = sum(dropped);
	const total = keptSum + droppedSum;
	return {
		minKept: kept.reduce((a, b) => Math.min(a, b), Infinity),
		meanKept: keptSum / kept.length,
		maxDropped: dropped.length === 0 ? null : dropped.reduce((a, b) => Math.max(a, b), -Infinity),
		meanDropped: dropped.length === 0 ? null : droppedSum / dropped.length,
		shareKept: total === 0 ? null : keptSum / total,
	};
};

const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);

const checkCount = (count: number, fullWidth: number): void => {
	if (!Number.isSafeInteger(count) || count < 1 || count > fullWidth) {
		throw badArgument('Neurons to keep', `1 to ${fullWidth}`, count);
	}
};
