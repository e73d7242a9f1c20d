import test from 'ava';
import {openCheckpoint, plan} from '../../ts/index.js';
import type {Checkpoint, PlanOptions, ProgressEvent} from '../../ts/index.js';
import {neuronStrategies, rankedStrategies} from '../../ts/plan/choices.js';
import type {NeuronStrategy, RankedStrategy} from '../../ts/plan/choices.js';
import {near, openBruteForce} from './bruteforce.js';
import {picoPlace} from './checkpoints.js';
import type {Place} from './checkpoints.js';
import {keptBy} from './expected.js';

const sizes = {layers: 4, width: 20, headWidth: 10, queryHeads: 2, kvHeads: 1, ffnWidth: 31} as const;
const width = 20;

const chosen = async ({model, calibration}: Place, strategy: NeuronStrategy | 'auto', more: Partial<PlanOptions> = {}, ffn: object = {}) => {
	const made = await plan({model, calibration, ffn: {width, multipleOf: 1, strategy, ...ffn}, ...more});
	return {made, ffn: made.ffn!, neurons: keptBy(made).neurons!};
};

const range = (begin: number): readonly number[] => Array.from({length: width}, (_, place) => begin + place);
const largest = (scores: ArrayLike<number>): readonly number[] =>
	Array.from(scores, (_, index) => index).sort((a, b) => scores[b]! - scores[a]! || a - b).slice(0, width).sort((a, b) => a - b);

for (const [strategy, begin] of [['top', 0], ['bottom', 11], ['middle', 5]] as const) {
	test(`${strategy} keeps neurons ${begin} to ${begin + width - 1} of 31 in every layer`, async t => {
		const {neurons, ffn} = await chosen(await picoPlace(t, sizes), strategy);
		t.deepEqual(neurons, Array.from({length: 4}, () => range(begin)));
		t.deepEqual([ffn.before, ffn.after, ffn.strategy, ffn.scoreSummary], [31, width, strategy, []]);
	});
}

test('random draws other neurons in each layer, the same for the same seed, and a layer keeps its draw when others are dropped', async t => {
	const place = await picoPlace(t, sizes);
	const {neurons} = await chosen(place, 'random', {}, {seed: 7});
	t.true(neurons.every(list => new Set(list).size === width && list.every(index => index >= 0 && index < 31)));
	t.is(new Set(neurons.map(list => list.join())).size, 4);
	t.deepEqual((await chosen(place, 'random', {}, {seed: 7})).neurons, neurons);
	t.notDeepEqual((await chosen(place, 'random', {}, {seed: 8})).neurons, neurons);
	t.deepEqual((await chosen(place, 'random', {layers: {drop: [1]}}, {seed: 7})).neurons, [neurons[0], neurons[2], neurons[3]]);
});

test('magnitude keeps the neurons whose weights have the largest norm', async t => {
	const place = await picoPlace(t, sizes);
	const {neurons, ffn} = await chosen(place, 'magnitude');
	const checkpoint = await openCheckpoint(place.model);
	for (const [layer, list] of neurons.entries()) {
		const norms = Array.from({length: 31}, (_, neuron) => normOf(checkpoint, layer, neuron));
		t.deepEqual(list, largest(norms));
		const {minKept, maxDropped} = ffn.scoreSummary[layer]!;
		t.true(near(minKept, Math.min(...list.map(neuron => norms[neuron]!))) && minKept! >= maxDropped!);
	}
});

const normOf = (checkpoint: Checkpoint, layer: number, neuron: number): number => {
	const part = (name: string): Float32Array => checkpoint.tensor(`model.layers.${layer}.mlp.${name}_proj.weight`).data as Float32Array;
	const row = (name: string): readonly number[] => [...part(name).subarray(neuron * sizes.width, (neuron + 1) * sizes.width)];
	const column = part('down').filter((_, index) => index % 31 === neuron);
	return Math.sqrt([...row('gate'), ...row('up'), ...column].reduce((sum, value) => sum + value * value, 0));
};

for (const strategy of rankedStrategies) {
	test(`${strategy} keeps the best of its own ranking, taken on the shortened model`, async t => {
		const place = await picoPlace(t, sizes);
		const {made, neurons} = await chosen(place, strategy, {layers: {drop: [1]}});
		const {native, model, texts} = await openBruteForce(place);
		const layers = Uint32Array.of(0, 2, 3);
		const ranks = await native.rankNeurons({model, view: {layers}, texts, metrics: [strategy]}).promise;
		t.deepEqual(made.layers!.keep, [...layers]);
		t.deepEqual(neurons, [0, 1, 2].map(index => largest(ranks[strategy]!.subarray(index * 31, (index + 1) * 31))));
		if (strategy !== 'magnitude') {
			const whole = await native.rankNeurons({model, view: {}, texts, metrics: [strategy]}).promise;
			t.notDeepEqual([...ranks[strategy]!.subarray(31, 62)], [...whole[strategy]!.subarray(62, 93)], 'the layer before is another one now');
		}
	});
}

for (const strategy of neuronStrategies) {
	test(`${strategy}: the divergence in the plan is that of the choice measured alone`, async t => {
		const place = await picoPlace(t, sizes);
		const {made, ffn, neurons} = await chosen(place, strategy, {layers: {drop: 1}}, {positions: 'all'});
		const brute = await openBruteForce(place);
		const {divergence} = await brute.measure({layers: Uint32Array.from(made.layers!.keep), neurons: neurons.map(list => Uint32Array.from(list))}, {positions: 'all'});
		t.deepEqual(ffn.candidates.map(candidate => candidate.strategy), [strategy]);
		t.true(near(ffn.candidates[0]!.divergence, divergence[0]!), `${ffn.candidates[0]!.divergence} of ${divergence[0]}`);
	});
}

for (const [dtype, positions, seed] of [['F32', 'last', 1], ['F32', 'all', 2], ['BF16', 'last', 3], ['F16', 'last', 4]] as const) {
	test(`auto takes the strategy whose choice, measured alone, diverges least: ${dtype}, ${positions}`, async t => {
		const place = await picoPlace(t, {...sizes, dtype, seed});
		const more = {corpus: place.corpus, layers: {drop: [2]}};
		const {made, ffn, neurons} = await chosen(place, 'auto', more, {positions});
		const brute = await openBruteForce(place, dtype === 'BF16' ? 'bf16' : 'f32');
		const tokens = Uint32Array.from(keptBy(made).tokens!);
		const alone = await Promise.all(neuronStrategies.map(async strategy => {
			const {neurons: lists} = await chosen(place, strategy, more, {positions});
			const {divergence} = await brute.measure({layers: Uint32Array.of(0, 1, 3), neurons: lists.map(list => Uint32Array.from(list))}, {positions, tokens});
			return {strategy, divergence: divergence[0]!, lists};
		}));
		t.deepEqual(ffn.candidates.map(({strategy}) => strategy), [...neuronStrategies]);
		for (const [index, {strategy, divergence}] of alone.entries()) {
			t.true(near(ffn.candidates[index]!.divergence, divergence), `${strategy}: ${ffn.candidates[index]!.divergence} of ${divergence}`);
		}

		const best = alone.reduce((a, b) => b.divergence < a.divergence ? b : a);
		t.is(ffn.strategy, best.strategy);
		t.deepEqual(neurons, best.lists);
	});
}

test('a share of the width is rounded to the nearest multiple', async t => {
	const place = await picoPlace(t, {...sizes, ffnWidth: 40});
	for (const [share, multipleOf, expected] of [[0.5, 8, 24], [0.45, 8, 16], [0.01, 8, 8], [0.5, 1, 20]] as const) {
		const {ffn} = await chosen(place, 'top', {}, {width: share, multipleOf});
		t.is(ffn!.after, expected, `${share} of 40 in multiples of ${multipleOf}`);
	}
});

test('ranked strategies without texts are refused, but for magnitude', async t => {
	const {model} = await picoPlace(t, sizes);
	for (const strategy of ['activation', 'wanda', 'fluctuation'] satisfies RankedStrategy[]) {
		await t.throwsAsync(plan({model, ffn: {width, multipleOf: 1, strategy}}), {code: 'ERR_BAD_ARGUMENT', message: `calibration: expected texts that the strategy '${strategy}' scores neurons on, got undefined`});
	}

	await t.throwsAsync(plan({model, ffn: {width, multipleOf: 1}}), {code: 'ERR_BAD_ARGUMENT', message: /^calibration: /});
	await t.throwsAsync(plan({model, ffn: {width: 32, multipleOf: 1, strategy: 'top'}}), {code: 'ERR_BAD_ARGUMENT', message: 'ffn.width: expected fewer neurons than the 31 that there are, got 32'});
	await t.throwsAsync(plan({model, ffn: {width: 20, strategy: 'top'}}), {code: 'ERR_BAD_ARGUMENT', message: 'ffn.width: expected a multiple of 64, got 20'});
});

test('a share that is rounded far is told in the plan', async t => {
	const {model} = await picoPlace(t, {...sizes, ffnWidth: 40});
	const {warnings} = await plan({model, ffn: {width: 0.01, multipleOf: 8, strategy: 'top'}});
	t.deepEqual(warnings, ['FFN: a share of 0.01 of 40 neurons is 0; 8 are kept (20.0 %), the nearest multiple of 8']);
});

test('sizes that do not fit the model are refused before anything long is done', async t => {
	const {model, corpus, calibration} = await picoPlace(t, sizes);
	const phases = new Set<string>();
	const control = {onProgress: ({phase}: ProgressEvent) => phases.add(phase)};
	for (const [cuts, message] of [
		[{layers: {drop: 1}, ffn: {width: 0.9999}}, /^ffn\.width: expected fewer neurons than the 31 that there are, got 0\.9999/],
		[{layers: {drop: 4}}, /^layers\.drop: expected 1 to 3 of 4 layers, got 4$/],
	] as const) {
		await t.throwsAsync(plan({model, corpus, calibration, ...cuts}, control), {code: 'ERR_BAD_ARGUMENT', message});
	}

	t.deepEqual([...phases].filter(phase => phase !== 'hash'), []);
});
