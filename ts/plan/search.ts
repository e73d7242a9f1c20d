import {FlabError, badArgument} from '../errors.js';

// Scores here are costs of leaving a layer out: the smallest goes. Places are places in the list of layers that were scored.

/** Place of the layer to drop: the smallest score, ties to the lower place. @throws ERR_BAD_DATA if a score is NaN or none is finite */
export const chooseLayer = (scores: Float64Array): number => {
	checkScores(scores);
	return scores.reduce((best, score, place) => score < scores[best]! ? place : best, 0);
};

/**
 * Place of the layer to drop after a race: the smallest score among the survivors, ties to the lower place. The others' scores are means of
 * fewer texts, which may be lower than a survivor's mean of all.
 *
 * @throws as `chooseLayer`
 */
export const chooseSurvivor = (scores: Float64Array, survivors: Uint32Array): number =>
	chooseLayer(scores.map((score, place) => survivors.includes(place) ? score : Number.POSITIVE_INFINITY));

/** Places of the `count` layers with the smallest scores, smallest first, ties to the lower place. @throws as `chooseLayer`, and ERR_BAD_ARGUMENT if no layer would be left */
export const oneShot = (scores: Float64Array, count: number): readonly number[] => {
	checkScores(scores);
	checkCount(count, scores.length);
	return [...scores.keys()].sort((a, b) => scores[a]! - scores[b]! || a - b).slice(0, count);
};

/**
 * Place of the first layer of the block of `count` layers whose input and output are closest, ties to the lower place.
 *
 * @param angular [n+1, n+1] row-major, distance between the input of layer a and the input of layer b; n is the output of the last layer
 * @throws ERR_BAD_DATA if a distance is NaN or none is finite, ERR_BAD_ARGUMENT if no layer would be left
 */
export const angularBlock = (angular: Float64Array, layers: number, count: number): number => {
	checkCount(count, layers);
	return chooseLayer(Float64Array.from({length: layers - count + 1}, (_, start) => angular[start * (layers + 1) + start + count]!));
};

const checkCount = (count: number, layers: number): void => {
	if (!Number.isSafeInteger(count) || count < 1 || count >= layers) {
		throw badArgument('Layers to drop', `1 to ${layers - 1}`, count);
	}
};

const checkScores = (scores: Float64Array): void => {
	const undefinedAt = scores.findIndex(Number.isNaN);
	if (undefinedAt !== -1) {
		throw new FlabError('ERR_BAD_DATA', `Layer at place ${undefinedAt}: expected a score, got NaN`, {hint: notNumbers});
	}

	if (!scores.some(Number.isFinite)) {
		throw new FlabError('ERR_BAD_DATA', `Layers: expected at least one finite score, got ${scores.length === 0 ? 'no score' : 'none'}`, {hint: notNumbers});
	}
};

const notNumbers = 'The weights or activations hold values that are not numbers or too large: check the checkpoint, or compute in f32.';
