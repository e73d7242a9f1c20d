import test from 'ava';
import {modelNames, openTiny, pack, relativeError} from './reference.js';

// f32: every sum has at most 160 terms and every value passes through 4 layers; 1e-5 is 80 units in the last place.
const f32Tolerance = 1e-5;

for (const name of modelNames) {
	test(`${name}: logits of packed texts are those of transformers`, async t => {
		const {native, model, reference} = await openTiny(name);
		const cases = ['a', 'b', 'one'];
		const texts = pack(...cases.map(text => reference.values(`input_ids.${text}`)));
		const logits = await native.logits({model, view: {}, texts, positions: 'all'}).promise;
		const error = relativeError(logits, cases.flatMap(text => reference.values(`logits.${text}`)));
		t.true(error < f32Tolerance, `relative error ${error}`);
	});

	test(`${name}: scores of layers are those of removing each layer in transformers`, async t => {
		const {native, model, spec, reference} = await openTiny(name);
		const texts = pack(reference.values('input_ids.a'), reference.values('input_ids.b'));
		const scores = {
			all: await native.scoreLayers({model, view: {}, texts, positions: 'all', candidates: true, losses: true}).promise,
			last: await native.scoreLayers({model, view: {}, texts, positions: 'last', candidates: true, losses: false}).promise,
		};
		for (let layer = 0; layer < spec.layers; layer++) {
			const a = reference.values(`kl.a.${layer}`);
			const b = reference.values(`kl.b.${layer}`);
			const mean = [...a, ...b].reduce((sum, value) => sum + value, 0) / (a.length + b.length);
			const last = (a.at(-1)! + b.at(-1)!) / 2;
			t.true(Math.abs(scores.all.divergence[layer]! / mean - 1) < 1e-4, `layer ${layer}, all: ${scores.all.divergence[layer]} of ${mean}`);
			t.true(Math.abs(scores.last.divergence[layer]! / last - 1) < 1e-4, `layer ${layer}, last: ${scores.last.divergence[layer]} of ${last}`);
		}
	});

	test(`${name}: block influence and loss are those of transformers`, async t => {
		const {native, model, spec, reference} = await openTiny(name);
		const texts = pack(reference.values('input_ids.a'));
		const scores = await native.scoreLayers({model, view: {}, texts, positions: 'last', candidates: false, losses: false}).promise;
		for (let layer = 0; layer < spec.layers; layer++) {
			t.true(Math.abs(scores.blockInfluence[layer]! - reference.values(`bi.${layer}`)[0]!) < 1e-5);
			t.true(Math.abs(scores.blockInfluenceLast[layer]! - reference.values(`bi_last.${layer}`)[0]!) < 1e-5);
		}

		const measured = await native.measure({model, reference: {}, candidates: [], texts, positions: 'last', losses: true}).promise;
		t.is(measured.lossTokens, 22);
		t.true(Math.abs(measured.referenceLoss / measured.lossTokens - reference.values('loss.a')[0]!) < 1e-5);
	});
}

test('in bf16, logits are within the rounding of bf16', async t => {
	const {native, model, reference} = await openTiny('llama-bf16-sharded', 'bf16');
	const logits = await native.logits({model, view: {}, texts: pack(reference.values('input_ids.a')), positions: 'all'}).promise;
	const exact = reference.values('logits.a');
	const ours = relativeError(logits, exact);
	const theirs = relativeError(reference.values('logits_bf16.a'), exact);
	// bf16 has 8 bits: one rounding is off by up to 2^-9, and transformers rounds after every operation.
	t.true(ours > 1e-5 && ours < 2 ** -5, `relative error ${ours}`);
	t.true(ours < 1.5 * theirs, `relative error ${ours}, transformers' ${theirs}`);
});

test('neurons that a view leaves out have no activation, and what follows sees that', async t => {
	const {native, model, spec, reference} = await openTiny('qwen2-tied');
	const texts = pack(reference.values('input_ids.a'));
	const neurons = Array.from({length: spec.layers}, () => Uint32Array.from({length: spec.ffnWidth - 1}, (_, index) => index + 1));
	const [whole, masked] = await Promise.all([{}, {neurons}].map(async view => native.rankNeurons({model, view, texts, metrics: ['activation']}).promise));
	const first = (scores: Float64Array, layer: number) => scores[layer * spec.ffnWidth]!;
	t.true(first(whole!.activation!, 0) > 0);
	t.is(first(masked!.activation!, 0), 0);
	t.is(whole!.activation![1], masked!.activation![1]);
	t.not(whole!.activation![spec.ffnWidth + 1], masked!.activation![spec.ffnWidth + 1]);
});
