import type {LayerScores, PackedTexts} from '../native/contract.js';
import {runJob} from '../native/jobs.js';
import type {LayerMetric} from '../plan/choices.js';
import type {LayerOptions} from '../plan/options.js';
import {measuredNumber} from '../plan/schema.js';
import type {LayerPlan, LayerStep} from '../plan/schema.js';
import {angularBlock, chooseLayer, chooseSurvivor, oneShot} from '../plan/search.js';
import {resolveDrop} from '../plan/sizes.js';
import type {Control} from '../progress.js';
import type {Session} from './session.js';

/**
 * Chooses the layers that go: those listed, or by scores, one at a time (`greedy`, `racing`) or all at
 * once (`one-shot`; with the metric `angular`, a block of neighbours). `texts` may be absent when the layers are listed.
 */
export const chooseLayers = async (session: Session, options: LayerOptions, texts: PackedTexts | undefined, control: Control): Promise<LayerPlan> => {
	const {layers} = session.source.layout.spec;
	const {count, list} = resolveDrop(options, layers);
	if (list) {
		return layerPlan(layers, list, {metric: null, positions: null, search: 'list', steps: []});
	}

	const steps: LayerStep[] = [];
	const dropped: number[] = [];
	const perStep = options.search === 'one-shot' ? count : 1;
	while (dropped.length < count) {
		const kept = keptLayers(layers, dropped);
		const detail = `step ${steps.length + 1} of ${Math.ceil(count / perStep)}`;
		const keep = options.search === 'greedy' && dropped.length + 1 < count;
		const scores = await scoreLayers(session, {kept, options, texts: texts!, detail, keep}, control);
		const costs = costsOf[options.metric](scores, perStep);
		const places = options.search === 'racing' ? [chooseSurvivor(costs, scores.survivors)] : choosePlaces(options.metric, costs, scores, perStep);
		steps.push({
			dropped: places.map(place => kept[place]!),
			scores: [...kept].map((layer, place) => ({...layerScore(layer, place, costs, scores, perStep), ...options.search === 'racing' && {texts: scores.texts[place]!}})),
			tokenLayers: scores.tokenLayers,
			tokenLayersFull: scores.tokenLayersGreedy,
		});
		dropped.push(...places.map(place => kept[place]!));
	}

	const {metric, positions, search} = options;
	return layerPlan(layers, dropped, {metric, positions, search, steps});
};

/** Whether every layer is run without: what takes memory for as many states as there are layers. */
export const scoresCandidates = ({drop, metric}: LayerOptions): boolean => typeof drop === 'number' && (metric === 'kl' || metric === 'perplexity');

/** Layers that are left, ascending. */
export const keptLayers = (layers: number, dropped: readonly number[]): Uint32Array =>
	Uint32Array.from({length: layers}, (_, layer) => layer).filter(layer => !dropped.includes(layer));

const layerPlan = (before: number, dropped: readonly number[], rest: Pick<LayerPlan, 'metric' | 'positions' | 'search' | 'steps'>): LayerPlan => {
	const keep = [...keptLayers(before, dropped)];
	return {before, after: keep.length, keep, dropped: [...dropped], ...rest};
};

type Scoring = {readonly kept: Uint32Array; readonly options: LayerOptions; readonly texts: PackedTexts; readonly detail: string; readonly keep: boolean};

const scoreLayers = async ({native, model, tokens}: Session, {kept, options, texts, detail, keep}: Scoring, {signal, onProgress}: Control): Promise<LayerScores> => {
	const {metric, positions, search} = options;
	const candidates = metric === 'kl' || metric === 'perplexity';
	const input = {model, view: {layers: kept, tokens}, texts, positions, candidates, losses: metric === 'perplexity', racing: search === 'racing', keep};
	return runJob(progress => native.scoreLayers(input, progress), {
		signal,
		onProgress: onProgress && ((done, total) => {
			onProgress({phase: 'layers', done, total, unit: 'token-layers', detail});
		}),
	});
};

/** For each place, what leaving the layer out costs by the metric; with blocks, what leaving out the block that begins there costs. */
const costsOf: Readonly<Record<LayerMetric, (scores: LayerScores, block: number) => Float64Array>> = {
	kl: ({divergence}) => divergence,
	perplexity: ({loss}) => loss,
	bi: ({blockInfluence}) => blockInfluence,
	'bi-last': ({blockInfluenceLast}) => blockInfluenceLast,
	angular({angular, blockInfluence: {length: count}}, block) {
		return Float64Array.from({length: count}, (_, place) => place + block <= count ? angular[place * (count + 1) + place + block]! : Number.POSITIVE_INFINITY);
	},
};

const choosePlaces = (metric: LayerMetric, costs: Float64Array, scores: LayerScores, count: number): readonly number[] => {
	if (count === 1) {
		return [chooseLayer(costs)];
	}

	if (metric !== 'angular') {
		return oneShot(costs, count);
	}

	const begin = angularBlock(scores.angular, costs.length, count);
	return Array.from({length: count}, (_, place) => begin + place);
};

const layerScore = (layer: number, place: number, costs: Float64Array, scores: LayerScores, block: number): LayerStep['scores'][number] => ({
	layer,
	score: measuredNumber(costs[place]!),
	...scores.divergence.length > 0 && {divergence: measuredNumber(scores.divergence[place]!)},
	...scores.loss.length > 0 && {loss: measuredNumber(scores.loss[place]!)},
	blockInfluence: measuredNumber(scores.blockInfluence[place]!),
	blockInfluenceLast: measuredNumber(scores.blockInfluenceLast[place]!),
	angular: measuredNumber(costsOf.angular(scores, block)[place]!),
});
