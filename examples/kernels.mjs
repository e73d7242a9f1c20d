// The kernels on tensors of one's own. Typed arrays are used where they are: nothing is copied on the way in.
//     node examples/kernels.mjs [MODEL]
import {klDivergence, neuronScores, openCheckpoint, sliceColumns, sliceRows, topK} from 'flab-pruner';

const [model = 'examples/tiny-coder'] = process.argv.slice(2);

// KL(P || Q) of two matrices of logits, in nats a row. bf16 and f16 are Uint16Arrays with a dtype.
const p = {data: Float32Array.from({length: 2 * 1000}, (_, place) => Math.sin(place)), shape: [2, 1000]};
const q = {data: p.data.map(logit => 0.9 * logit), shape: [2, 1000]};
console.log('KL', ...await klDivergence(p, q));

// Which half of layer 0's FFN neurons has the largest weights, and the three matrices without the rest. Weights are mapped, not read.
const checkpoint = await openCheckpoint(model);
const [gate, up, down] = ['gate', 'up', 'down'].map(name => checkpoint.tensor(`model.layers.0.mlp.${name}_proj.weight`));
const scores = await neuronScores({metric: 'magnitude', gate, up, down}); // [F]
const keep = await topK(scores, scores.length / 2); // ascending indices
console.log(`${keep.length} of ${scores.length} neurons, the first: ${keep.slice(0, 4)}`);

// `out` takes the result into memory that is there already.
const out = new Uint16Array(keep.length * gate.shape[1]);
const smaller = [await sliceRows(gate, keep, {out}), await sliceRows(up, keep), await sliceColumns(down, keep)];
console.log(smaller.map(({dtype, shape}) => `${dtype} [${shape}]`).join(', '));
