import * as z from 'zod';
import {rankedStrategies} from '../plan/choices.js';
import {object, oneOf, whole} from '../plan/fields.js';
import {parsed} from '../plan/parsed.js';
import {signal} from '../progress.js';
import type {NeuronScoresInput} from './neurons.js';
import type {KernelOptions} from './options.js';

// Memory and matrices: checked where it is known what they must fit.
const anything = z.unknown().optional();

const optionsSchema = object({signal: signal.optional(), threads: whole(1).optional(), out: anything}, 'an object with signal, threads or out');

const neuronScoresSchema = object({
	metric: oneOf(rankedStrategies),
	activations: anything,
	down: anything,
	gate: anything,
	up: anything,
}, 'an object with metric and the matrices that it needs');

/** Checks the options of any kernel. @throws ERR_BAD_ARGUMENT */
export const checkKernelOptions = (options: KernelOptions): void => {
	parsed(optionsSchema, options);
};

/** Checks the metric of `neuronScores`, and the names of what is beside it. @throws ERR_BAD_ARGUMENT */
export const checkNeuronScores = (input: NeuronScoresInput): void => {
	parsed(neuronScoresSchema, input, 'input');
};
