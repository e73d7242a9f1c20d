// Whole runs on the emulated GPU: the same decisions as on the CPU.
import test from 'ava';
import {plan, prune} from '../../ts/index.js';
import type {PlanOptions} from '../../ts/index.js';
import {picoPlace} from '../e2e/checkpoints.js';
import type {PicoPlaceOptions} from '../e2e/checkpoints.js';
import {checkOutput} from '../e2e/expected.js';
import {useEmulator} from './emulated.js';

const cases: Readonly<Record<string, {readonly place: PicoPlaceOptions; readonly options: Partial<PlanOptions>}>> = {
	'greedy search and auto, f32': {place: {layers: 4}, options: {layers: {drop: 2}, ffn: {width: 24, multipleOf: 8}}},
	'all positions, bf16': {place: {layers: 4, dtype: 'BF16', family: 'llama'}, options: {layers: {drop: 1, positions: 'all'}, ffn: {width: 24, multipleOf: 8, strategy: 'wanda'}}},
	'racing, f16, windows': {place: {layers: 4, dtype: 'F16', family: 'mistral', config: {sliding_window: 4}}, options: {layers: {drop: 1, search: 'racing'}}},
	'next-token loss, qwen3': {place: {layers: 3, family: 'qwen3'}, options: {layers: {drop: 1, metric: 'perplexity'}}},
};

for (const [name, {place: picoOptions, options}] of Object.entries(cases)) {
	test.serial(`${name}: a GPU chooses the same tokens, layers and neurons as the CPU`, async t => {
		if (!useEmulator(t)) {
			return;
		}

		const place = await picoPlace(t, picoOptions);
		const {model, corpus, calibration} = place;
		const [there, here] = [await plan({model, corpus, calibration, ...options, device: 'cuda'}), await plan({model, corpus, calibration, ...options, device: 'cpu'})];
		t.deepEqual([there.vocabulary?.keep, there.layers?.dropped, there.ffn?.strategy, there.ffn?.keep], [here.vocabulary?.keep, here.layers?.dropped, here.ffn?.strategy, here.ffn?.keep]);
		t.deepEqual([there.device?.name, here.device], ['emulated', undefined]);
		for (const [index, stage] of there.stages.entries()) {
			const expected = here.stages[index]!.divergence ?? 0;
			// bf16: a factor that rounds to its neighbour moves a logit by 2^-9 of it.
			t.true(Math.abs((stage.divergence ?? 0) - expected) <= (picoOptions.dtype === 'BF16' ? 0.05 : 1e-4) * expected + 1e-9, `${stage.name}: ${stage.divergence} of ${expected}`);
		}
	});
}

test.serial('prune on a GPU writes a checkpoint that the CPU verifies exactly, and says what it ran on', async t => {
	if (!useEmulator(t)) {
		return;
	}

	const place = await picoPlace(t, {layers: 3});
	const {root: _, ...paths} = place;
	const report = await prune({...paths, layers: {drop: 1}, ffn: {width: 24, multipleOf: 8}, device: 'auto'});
	t.is(report.verification!.relativeError, 0);
	t.is(report.device!.name, 'cuda:0');
	t.regex(report.device!.reason, /^a GPU that can be used: emulated, /);
	await checkOutput(t, {...place, plan: report.plan});
});

test.serial('with less memory than the weights take they are streamed, and all is the same to the bit', async t => {
	if (!useEmulator(t)) {
		return;
	}

	const {model, calibration} = await picoPlace(t, {layers: 5, width: 64, headWidth: 16, queryHeads: 4, kvHeads: 2, ffnWidth: 128});
	const options: PlanOptions = {model, calibration, layers: {drop: 2}, device: 'cuda'};
	const whole = await plan(options);
	const least = /expected at least (\d+) bytes of device memory/.exec((await t.throwsAsync(plan({...options, maxDeviceMemory: 2 ** 20}), {code: 'ERR_DEVICE_MEMORY'}))!.message);
	const streamed = await plan({...options, maxDeviceMemory: Number(least![1])});
	// Smaller chunks of texts: means over chunks are added in another order, and other states were kept between the steps.
	t.deepEqual(streamed.layers!.dropped, whole.layers!.dropped);
	for (const [index, {scores}] of streamed.layers!.steps.entries()) {
		t.deepEqual(scores.map(({divergence}) => divergence), whole.layers!.steps[index]!.scores.map(({divergence}) => divergence));
	}

	t.deepEqual(streamed.stages.map(({divergence}) => divergence), whole.stages.map(({divergence}) => divergence));
});
