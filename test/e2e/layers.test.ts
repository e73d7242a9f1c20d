import test from 'ava';
import type {ExecutionContext} from 'ava';
import {plan} from '../../ts/index.js';
import type {Plan} from '../../ts/index.js';
import type {LayerScores} from '../../ts/native/contract.js';
import type {LayerMetric} from '../../ts/plan/choices.js';
import {layerMetrics, layerSearches, positionChoices} from '../../ts/plan/choices.js';
import {near, openBruteForce} from './bruteforce.js';
import type {BruteForce} from './bruteforce.js';
import {picoPlace} from './checkpoints.js';
import {keptBy} from './expected.js';

const sizes = {layers: 6, width: 20, headWidth: 10, queryHeads: 2, kvHeads: 1, ffnWidth: 31} as const;

type LayerPlan = NonNullable<Plan['layers']>;

/** Calls `check` for each step with the layers that were left before it. */
const eachStep = async (t: ExecutionContext, layers: LayerPlan, check: (kept: readonly number[], step: LayerPlan['steps'][number]) => Promise<void>): Promise<void> => {
	let kept = Array.from({length: layers.before}, (_, layer) => layer);
	for (const step of layers.steps) {
		t.deepEqual(step.scores.map(({layer}) => layer), kept);
		await check(kept, step);
		kept = kept.filter(layer => !step.dropped.includes(layer));
	}

	t.deepEqual(layers.keep, kept);
	t.deepEqual(layers.dropped, layers.steps.flatMap(({dropped}) => dropped));
};

const without = (kept: readonly number[], layer: number): Uint32Array => Uint32Array.from(kept.filter(other => other !== layer));

// What a brute force would cost L passes for a step, the search does in one walk: every number of every step must be the same.
for (const dtype of ['F32', 'BF16'] as const) {
	for (const positions of positionChoices) {
		for (const prunesVocabulary of [false, true]) {
			test(`${dtype}, positions ${positions}${prunesVocabulary ? ', with the vocabulary' : ''}: each greedy step drops the layer that a forward pass for each candidate finds`, async t => {
				const place = await picoPlace(t, {...sizes, dtype, family: dtype === 'F32' ? 'qwen2' : 'llama', seed: 3});
				const made = await plan({model: place.model, calibration: place.calibration, ...prunesVocabulary && {corpus: place.corpus}, layers: {drop: 3, positions}});
				const brute = await openBruteForce(place, dtype === 'BF16' ? 'bf16' : 'f32');
				const {tokens: kept} = keptBy(made);
				const tokens = kept && Uint32Array.from(kept);
				t.is(made.layers!.steps.length, 3);
				await eachStep(t, made.layers!, async (left, {dropped, scores}) => {
					const divergences = await Promise.all(left.map(async layer => (await brute.measure({layers: without(left, layer)}, {positions, tokens})).divergence[0]!));
					for (const [index, divergence] of divergences.entries()) {
						t.true(near(scores[index]!.divergence, divergence), `without ${left[index]} of ${left.join(' ')}: ${scores[index]!.divergence} of ${divergence}`);
						t.is(scores[index]!.score, scores[index]!.divergence!);
					}

					t.deepEqual(dropped, [left[divergences.indexOf(Math.min(...divergences))]]);
				});
			});
		}
	}
}

test('perplexity is the next-token loss that a forward pass for each candidate finds', async t => {
	const place = await picoPlace(t, sizes);
	const made = await plan({model: place.model, calibration: place.calibration, layers: {drop: 2, metric: 'perplexity'}});
	const brute = await openBruteForce(place);
	await eachStep(t, made.layers!, async (left, {scores}) => {
		for (const {layer, score} of scores) {
			const {loss, lossTokens} = await brute.measure({layers: without(left, layer)});
			t.true(near(score, loss[0]! / lossTokens), `without ${layer}: ${score} of ${loss[0]! / lossTokens}`);
		}
	});
});

const costOf: Readonly<Record<LayerMetric, (scores: LayerScores, place: number, count: number, block: number) => number>> = {
	kl: ({divergence}, place) => divergence[place]!,
	perplexity: ({loss}, place) => loss[place]!,
	bi: ({blockInfluence}, place) => blockInfluence[place]!,
	'bi-last': ({blockInfluenceLast}, place) => blockInfluenceLast[place]!,
	angular: ({angular}, place, count, block) => place + block > count ? Number.POSITIVE_INFINITY : angular[place * (count + 1) + place + block]!,
};

const scoresOf = async ({native, model, texts}: BruteForce, kept: readonly number[], positions: 'last' | 'all'): Promise<LayerScores> =>
	native.scoreLayers({model, view: {layers: Uint32Array.from(kept)}, texts, positions, candidates: true, losses: true}).promise;

for (const metric of layerMetrics) {
	for (const search of layerSearches.filter(name => name !== 'racing')) {
		for (const positions of positionChoices) {
			test(`${metric}, ${search}, ${positions}: the layers with the smallest scores go, and every score is in the plan`, async t => {
				const place = await picoPlace(t, {...sizes, seed: 5});
				const {layers} = await plan({model: place.model, calibration: place.calibration, layers: {drop: 3, metric, search, positions}});
				const brute = await openBruteForce(place);
				const count = search === 'greedy' ? 1 : 3;
				t.deepEqual([layers!.metric, layers!.search, layers!.positions, layers!.steps.length], [metric, search, positions, 3 / count]);
				await eachStep(t, layers!, async (left, {dropped, scores}) => {
					const expected = await scoresOf(brute, left, positions);
					const costs = left.map((_, index) => costOf[metric](expected, index, left.length, count));
					t.deepEqual(scores.map(({score}) => score), costs.map(cost => Number.isFinite(cost) ? cost : null));
					const ranked = [...left.keys()].sort((a, b) => costs[a]! - costs[b]! || a - b);
					const places = metric === 'angular' && count > 1 ? [0, 1, 2].map(next => ranked[0]! + next) : ranked.slice(0, count);
					t.deepEqual(dropped, places.map(index => left[index]));
				});
			});
		}
	}
}

test('positions all and positions last are different questions', async t => {
	const place = await picoPlace(t, sizes);
	const [last, all] = await Promise.all(positionChoices.map(async positions => plan({model: place.model, calibration: place.calibration, layers: {drop: 1, positions}})));
	t.notDeepEqual(last!.layers!.steps[0]!.scores.map(({score}) => score), all!.layers!.steps[0]!.scores.map(({score}) => score));
});

test('listed layers go without being scored, in any order', async t => {
	const place = await picoPlace(t, sizes);
	const {layers, stages} = await plan({model: place.model, calibration: place.calibration, layers: {drop: [4, 0, 1]}});
	t.deepEqual(layers, {before: 6, after: 3, keep: [2, 3, 5], dropped: [0, 1, 4], metric: null, positions: null, search: 'list', steps: []});
	const brute = await openBruteForce(place);
	const {divergence} = await brute.measure({layers: Uint32Array.of(2, 3, 5)});
	t.true(near(stages.at(-1)!.divergence, divergence[0]!));
});

for (const [drop, message] of [
	[6, /^layers\.drop: expected 1 to 5 of 6 layers, got 6$/],
	[[0, 1, 2, 3, 4, 5], /^layers\.drop: expected 1 to 5 of 6 layers, got 6$/],
	[[6], /^layers\.drop: expected layers from 0 to 5, got 6$/],
	[[2, 2], /^layers\.drop: expected every layer once, got \[2,2]$/],
] as const) {
	test(`refuses to drop ${JSON.stringify(drop)} of 6 layers`, async t => {
		const place = await picoPlace(t, sizes);
		await t.throwsAsync(plan({model: place.model, calibration: place.calibration, layers: {drop: typeof drop === 'number' ? drop : [...drop]}}), {code: 'ERR_BAD_ARGUMENT', message});
	});
}
