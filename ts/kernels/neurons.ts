import {withCaller} from '../caller.js';
import {badArgument} from '../errors.js';
import type {NeuronMetric} from '../native/contract.js';
import {runJob} from '../native/jobs.js';
import {loadNative} from '../native/load.js';
import {floatMatrix, halvesAndFloats} from './floats.js';
import type {FloatMatrix} from './floats.js';
import {kernelChecks} from './options.js';
import type {KernelOptions} from './options.js';
import {outputOf} from './output.js';
import {namingTensors} from './tensors.js';

/** What the neurons of an FFN are scored by. */
export type NeuronScoresInput = {
	/**
	 * - `magnitude`: sqrt(|gate_j|^2 + |up_j|^2 + |down_j|^2), the norm of all of a neuron's weights; needs `gate`, `up`, `down`
	 * - `activation`: mean |a_j| over tokens; needs `activations`
	 * - `wanda`: |a_j|_2 |down_j|_2 (arXiv 2306.11695); needs `activations`, `down`
	 * - `fluctuation`: variance of a_j over tokens times |down_j|_2^2 (FLAP, arXiv 2312.11983); needs `activations`, `down`
	 */
	readonly metric: NeuronMetric;
	/** [T, F] gated activations: what goes into down_proj. */
	readonly activations?: FloatMatrix;
	/** [D, F] weight of down_proj. */
	readonly down?: FloatMatrix;
	/** [F, D] weights of gate_proj and up_proj. */
	readonly gate?: FloatMatrix;
	readonly up?: FloatMatrix;
};

/** How neurons are scored. */
export type NeuronScoresOptions = KernelOptions & {
	/** [F] memory for the result, which may not overlap the matrices, or its bytes at a multiple of 8; without it, new memory is taken. */
	readonly out?: Float64Array | Uint8Array;
};

type Part = 'activations' | 'down' | 'gate' | 'up';

const parts: Readonly<Record<NeuronMetric, readonly Part[]>> = {
	magnitude: ['gate', 'up', 'down'],
	activation: ['activations'],
	wanda: ['activations', 'down'],
	fluctuation: ['activations', 'down'],
};

const meanings: Readonly<Record<Part, string>> = {
	activations: 'what goes into down_proj, [tokens, neurons]',
	down: 'the weight of down_proj, [width, neurons]',
	gate: 'the weight of gate_proj, [neurons, width]',
	up: 'the weight of up_proj, [neurons, width]',
};

/**
 * Scores of the F neurons of a gated FFN; bigger is more worth keeping. Sums are taken in doubles, in the order of tokens.
 *
 * @returns [F]; `out` if it was given, or an array on its bytes
 * @throws ERR_BAD_ARGUMENT if a matrix that the metric needs is missing, or a matrix or `out` does not fit, ERR_ABORTED
 */
export const neuronScores = withCaller(async (input: NeuronScoresInput, options: NeuronScoresOptions = {}): Promise<Float64Array> => namingTensors({...input}, async () => {
	kernelChecks().checkKernelOptions(options);
	kernelChecks().checkNeuronScores(input);
	const {metric} = input;
	const needed = parts[metric];
	const matrices = Object.fromEntries(needed.map(part => {
		const matrix = input[part];
		if (matrix === undefined) {
			throw badArgument(part, `a matrix, as ${metric} needs it`, matrix, `Pass ${meanings[part]}.`);
		}

		return [part, floatMatrix(part, matrix, halvesAndFloats)];
	}));
	const neurons = needed.map(part => ({part, count: part === 'gate' || part === 'up' ? matrices[part]!.rows : matrices[part]!.columns}));
	const odd = neurons.find(({count}) => count !== neurons[0]!.count);
	if (odd) {
		throw badArgument(odd.part, `${neurons[0]!.count} neurons as ${neurons[0]!.part} has`, odd.count);
	}

	const out = outputOf(Float64Array, neurons[0]!.count, options.out);
	const native = loadNative();
	await runJob(() => native.neuronScores({metric, ...matrices}, out), options);
	return out;
}));
