import test from 'ava';
import type {LayerScores, ScoreLayersInput} from '../../ts/native/contract.js';
import {chooseLayers} from '../../ts/pipeline/layers.js';
import type {Session} from '../../ts/pipeline/session.js';
import {resolvePlanOptions} from '../../ts/plan/options.js';
import type {LayerOptions} from '../../ts/plan/options.js';

const options = (layers: object): LayerOptions => resolvePlanOptions({model: 'm', calibration: 'c', layers: layers as never}).layers as LayerOptions;

const texts = {ids: Int32Array.of(1, 2, 3), offsets: Int32Array.of(0, 1, 3)};

/** A session whose addon answers scoring after scoring with these, and the inputs that it got. */
const answering = (...answers: readonly Partial<LayerScores>[]): {readonly session: Session; readonly inputs: ScoreLayersInput[]} => {
	const inputs: ScoreLayersInput[] = [];
	const scoreLayers = (input: ScoreLayersInput) => {
		const count = input.view.layers!.length;
		const all = {blockInfluence: new Float64Array(count), blockInfluenceLast: new Float64Array(count), angular: new Float64Array((count + 1) ** 2), loss: new Float64Array()};
		return {promise: Promise.resolve({...all, ...answers[inputs.push(input) - 1]}), cancel() {}};
	};

	return {session: {source: {layout: {spec: {layers: 4}}}, native: {scoreLayers}, model: {}} as unknown as Session, inputs};
};

const first = {divergence: Float64Array.of(0.3, 0.05, 0.4, 0.2), texts: Uint32Array.of(64, 8, 64, 64), survivors: Uint32Array.of(0, 3), tokenLayers: 300, tokenLayersGreedy: 1000};
const second = {divergence: Float64Array.of(0.9, 0.8, 0.7), texts: Uint32Array.of(64, 64, 16), survivors: Uint32Array.of(0, 1), tokenLayers: 200, tokenLayersGreedy: 600};

test('a race drops the best survivor of each step, not a lower score that was given up early', async t => {
	const {session, inputs} = answering(first, second);
	const {dropped, keep, search, steps} = await chooseLayers(session, options({drop: 2, search: 'racing'}), texts, {});
	t.deepEqual([dropped, keep, search], [[3, 1], [0, 2], 'racing']);
	t.deepEqual(inputs.map(({racing, candidates, losses, view}) => [racing, candidates, losses, [...view.layers!]]), [[true, true, false, [0, 1, 2, 3]], [true, true, false, [0, 1, 2]]]);
	t.deepEqual(steps.map(({scores}) => scores.map(score => score.texts)), [[64, 8, 64, 64], [64, 64, 16]]);
	t.deepEqual(steps.map(({tokenLayers, tokenLayersFull}) => [tokenLayers, tokenLayersFull]), [[300, 1000], [200, 600]]);
});

test('without a race every candidate counts, and no score says on how many texts', async t => {
	const {session, inputs} = answering({...first, survivors: Uint32Array.of(0, 1, 2, 3), texts: new Uint32Array(4).fill(64)});
	const {dropped, steps} = await chooseLayers(session, options({drop: 1}), texts, {});
	t.deepEqual(dropped, [1]);
	t.false(inputs[0]!.racing);
	t.false(steps[0]!.scores.some(score => 'texts' in score));
	t.like(steps[0], {tokenLayers: 300, tokenLayersFull: 1000});
});

test('one-shot is one scoring, whatever number is dropped', async t => {
	const {session, inputs} = answering(first);
	t.deepEqual((await chooseLayers(session, options({drop: 2, search: 'one-shot'}), texts, {})).dropped, [1, 3]);
	t.is(inputs.length, 1);
});

test('listed layers are not raced', async t => {
	const {session, inputs} = answering();
	t.like(await chooseLayers(session, options({drop: [2], search: 'racing'}), texts, {}), {dropped: [2], search: 'list', steps: []});
	t.is(inputs.length, 0);
});
