// Tiny checkpoints of every family on the emulated GPU, against numbers that transformers computed.
import test from 'ava';
import {modelNames, openTiny, pack, relativeError} from '../native/reference.js';
import {openEmulated, useEmulator} from './emulated.js';

// As for the CPU: f32 sums of at most 160 terms, through 4 layers.
const f32Tolerance = 1e-5;

for (const name of modelNames) {
	test(`${name}: on a GPU, logits and scores of layers are those of transformers`, async t => {
		if (!useEmulator(t)) {
			return;
		}

		const device = await openEmulated();
		const {native, model, spec, reference} = await openTiny(name, 'f32', device.handle);
		const texts = pack(reference.values('input_ids.a'), reference.values('input_ids.b'));
		const logits = await native.logits({model, view: {}, texts, positions: 'all'}).promise;
		const error = relativeError(logits, ['a', 'b'].flatMap(text => reference.values(`logits.${text}`)));
		t.true(error < f32Tolerance, `relative error ${error}`);

		const scores = await native.scoreLayers({model, view: {}, texts, positions: 'all', candidates: true, losses: true}).promise;
		for (let layer = 0; layer < spec.layers; layer++) {
			const divergences = [...reference.values(`kl.a.${layer}`), ...reference.values(`kl.b.${layer}`)];
			const mean = divergences.reduce((sum, value) => sum + value, 0) / divergences.length;
			t.true(Math.abs(scores.divergence[layer]! / mean - 1) < 1e-4, `layer ${layer}: ${scores.divergence[layer]} of ${mean}`);
		}

		native.closeModel(model);
		native.closeDevice(device.handle);
		t.throws(() => native.logits({model, view: {}, texts, positions: 'all'}), {message: 'model: expected an opened model, got one that was closed'});
	});
}

test('on a GPU, bf16 products are nearer to f32 than transformers in bf16', async t => {
	if (!useEmulator(t)) {
		return;
	}

	const device = await openEmulated();
	const {native, model, reference} = await openTiny('llama-bf16-sharded', 'bf16', device.handle);
	const logits = await native.logits({model, view: {}, texts: pack(reference.values('input_ids.a')), positions: 'all'}).promise;
	const exact = reference.values('logits.a');
	const error = relativeError(logits, exact);
	// Each factor is off by at most 2^-9 of it, at random: a few times that after the layers.
	t.true(error > 0 && error < 2 ** -6, `relative error ${error}`);
	native.closeModel(model);
	native.closeDevice(device.handle);
});
