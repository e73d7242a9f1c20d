// Reaches a number of parameters: of the ways to get there with fewer layers or narrower FFNs, the one with the smallest divergence.
//     node examples/target-size.mjs [MODEL] [OUT] [PARAMETERS]
import {join} from 'node:path';
import {apply, inspect, plan} from 'flab-pruner';

const [model = 'examples/tiny-coder', out = 'pruned', target = '3.2e6'] = process.argv.slice(2);
const data = join(import.meta.dirname, 'tiny-coder/data');
const texts = {corpus: join(data, 'corpus.jsonl'), calibration: {paths: [join(data, 'calibration.jsonl')], maxTexts: 16}};
const multipleOf = 32;

// The vocabulary goes first: what is never used costs nothing.
const {prunable: {layers, ffn}} = await inspect({model});
const {parameters, vocabulary} = (await plan({model, ...texts})).stages.at(-1);
console.log(`${vocabulary} tokens: ${parameters} parameters`);

const plans = [];
for (const drop of [0, 1, 2]) {
	const perNeuron = ffn.parametersPerNeuron * (layers.count - drop) / layers.count;
	const excess = parameters - drop * layers.parametersPerLayer - Number(target);
	const width = Math.min(ffn.width, Math.floor((ffn.width - excess / perNeuron) / multipleOf) * multipleOf);
	if (width >= multipleOf) {
		const made = await plan({model, ...texts, layers: drop > 0 && {drop}, ffn: {width, multipleOf, strategy: 'wanda'}});
		plans.push(made);
		console.log(`${drop} layers less, FFN width ${width}: ${made.stages.at(-1).parameters} parameters, ${made.stages.at(-1).divergence.toFixed(3)} nats`);
	}
}

const best = plans.toSorted((a, b) => a.stages.at(-1).divergence - b.stages.at(-1).divergence)[0];
const {output} = await apply({model, plan: best, out});
console.log(`wrote ${output.parameters} parameters to ${out}`);
