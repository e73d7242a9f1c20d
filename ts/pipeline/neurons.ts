import type {NeuronRanks, PackedTexts} from '../native/contract.js';
import {runJob} from '../native/jobs.js';
import {rankedStrategies} from '../plan/choices.js';
import type {NeuronStrategy, PositionalStrategy, RankedStrategy} from '../plan/choices.js';
import {candidateStrategies, keepByPlace, keepLargestOfLayers, summarizeScores} from '../plan/neurons.js';
import type {FfnOptions} from '../plan/options.js';
import {encodeRanges} from '../plan/ranges.js';
import {measuredNumber} from '../plan/schema.js';
import type {FfnPlan} from '../plan/schema.js';
import {chooseLayer} from '../plan/search.js';
import {resolveFfnWidth} from '../plan/sizes.js';
import type {Control} from '../progress.js';
import {measure} from './session.js';
import type {Session} from './session.js';

/** One strategy's choice: for each layer that stays, the neurons that stay. */
type Candidate = {readonly strategy: NeuronStrategy; readonly neurons: readonly Uint32Array[]};

/** Whether a strategy needs calibration texts. */
export const needsTexts = ({strategy}: FfnOptions): boolean => ['activation', 'wanda', 'fluctuation', 'auto'].includes(strategy);

/**
 * Chooses the neurons that stay in every layer of `layers`. Rankings are taken on the model without the
 * dropped layers; with `auto`, every strategy is a candidate and the smallest divergence from the whole model wins.
 */
export const chooseNeurons = async (session: Session, options: FfnOptions, layers: Uint32Array, texts: PackedTexts | undefined, control: Control): Promise<FfnPlan> => {
	const {ffnWidth} = session.source.layout.spec;
	const count = resolveFfnWidth(options, ffnWidth);
	const strategies = candidateStrategies(options.strategy);
	const ranks = await rankNeurons(session, strategies, layers, texts, control);
	const candidates = strategies.map((strategy): Candidate => ({
		strategy,
		neurons: isRanked(strategy)
			? keepLargestOfLayers(ranks[strategy]!, layers.length, count)
			: [...layers].map(layer => keepByPlace({strategy: strategy as PositionalStrategy, fullWidth: ffnWidth, count, seed: options.seed, layer})),
	}));
	const divergences = texts && (await measure(session, {
		candidates: candidates.map(({neurons}) => ({layers, neurons})),
		texts,
		positions: options.positions,
		phase: 'neurons',
		detail: candidates.length === 1 ? 'measuring' : `measuring ${candidates.length} strategies`,
	}, control)).divergence;
	const {strategy, neurons} = candidates[divergences && candidates.length > 1 ? chooseLayer(divergences) : 0]!;
	return {
		before: ffnWidth,
		after: count,
		strategy,
		positions: texts ? options.positions : null,
		keep: neurons.map(list => encodeRanges(list).map(([begin, end]) => [begin, end])),
		candidates: candidates.map((candidate, place) => ({strategy: candidate.strategy, divergence: divergences ? measuredNumber(divergences[place]!) : null})),
		scoreSummary: isRanked(strategy) ? summaries(ranks[strategy]!, layers, neurons) : [],
		...isRanked(strategy) && {scores: rowsOf(ranks[strategy]!, layers.length)},
	};
};

// Six digits tell any two neurons apart that are worth telling apart, and keep the plan readable.
const rowsOf = (scores: Float64Array, layers: number): (number | null)[][] => {
	const width = scores.length / layers;
	return Array.from({length: layers}, (_, place) => Array.from(scores.subarray(place * width, (place + 1) * width), score => measuredNumber(Number(score.toPrecision(6)))));
};

const isRanked = (strategy: NeuronStrategy): strategy is RankedStrategy => (rankedStrategies as readonly string[]).includes(strategy);

const rankNeurons = async ({native, model}: Session, strategies: readonly NeuronStrategy[], layers: Uint32Array, texts: PackedTexts | undefined, {signal, onProgress}: Control): Promise<NeuronRanks> => {
	const metrics = strategies.filter(strategy => isRanked(strategy));
	if (metrics.length === 0) {
		return {};
	}

	// Magnitudes need no texts, but the call does: one token, which is not looked at.
	const input = {model, view: {layers}, metrics, texts: texts ?? {ids: Int32Array.of(0), offsets: Int32Array.of(0, 1)}};
	return runJob(progress => native.rankNeurons(input, progress), {
		signal,
		onProgress: onProgress && ((done, total) => {
			onProgress({phase: 'neurons', done, total, unit: 'token-layers', detail: 'ranking'});
		}),
	});
};

const summaries = (scores: Float64Array, layers: Uint32Array, neurons: readonly Uint32Array[]): FfnPlan['scoreSummary'] => {
	const width = scores.length / layers.length;
	return [...layers].map((layer, place) => {
		const {minKept, meanKept, maxDropped, meanDropped, shareKept} = summarizeScores(scores.subarray(place * width, (place + 1) * width), neurons[place]!);
		const numbers = {minKept, meanKept, maxDropped, meanDropped, shareKept};
		return {layer, ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, value === null ? null : measuredNumber(value)])) as typeof numbers};
	});
};
