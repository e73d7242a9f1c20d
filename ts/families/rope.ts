import {describe} from '../errors.js';
import {badConfig, type ConfigValues} from './values.js';

type Parameters = Readonly<Record<string, unknown>>;

/**
 * [E/2] rotary frequencies in radians per position, as transformers 5 computes them: from `rope_parameters`, or from
 * `rope_theta` and `rope_scaling` of older configs, with the types default, linear and llama3.
 *
 * Every step is rounded to float32 as PyTorch does it: at position p an error of the frequency is an error of p times as
 * much in the angle. Source: `modeling_rope_utils.py` of transformers 5.18.
 *
 * @throws `ERR_BAD_CONFIG` for other types, missing numbers, a partial rotation, or layers that differ
 */
export const inverseFrequencies = (config: Parameters, values: ConfigValues): Float32Array => {
	const parameters = ropeParameters(config, values);
	const type = String(parameters['rope_type']);
	const scale = Object.hasOwn(scalings, type) ? scalings[type] : undefined;
	if (scale === undefined) {
		throw badConfig(`rope type: expected one of ${Object.keys(scalings).join(', ')}, got ${describe(parameters['rope_type'])}`);
	}

	const numbers = scale.needs.map(key => positive(key, parameters[key]));
	return defaultFrequencies(positive('rope_theta', parameters['rope_theta']), values.head_dim).map(frequency => scale.apply(frequency, numbers));
};

const round = Math.fround;

const defaultFrequencies = (theta: number, headWidth: number): Float32Array =>
	Float32Array.from({length: headWidth / 2}, (_, pair) => 1 / round(round(theta) ** round((2 * pair) / headWidth)));

type Scaling = {
	/** Keys of the numbers that `apply` gets. */
	readonly needs: readonly string[];
	readonly apply: (frequency: number, numbers: readonly number[]) => number;
};

const scalings: Readonly<Record<string, Scaling>> = {
	default: {needs: [], apply: frequency => frequency},
	linear: {needs: ['factor'], apply: (frequency, [factor]) => frequency / round(factor!)},
	llama3: {
		needs: ['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings'],
		// Long waves are stretched by the factor, short ones stay, those between are interpolated.
		apply(frequency, [factor, low, high, context]) {
			// PyTorch divides a number by a tensor as reciprocal times number: two roundings.
			const over = (number: number, divisor: number): number => round(round(1 / divisor) * round(number));
			const wave = over(2 * Math.PI, frequency);
			const stretched = round(frequency / round(factor!));
			if (wave > round(context! / low!)) {
				return stretched;
			}

			if (wave < round(context! / high!)) {
				return frequency;
			}

			const smooth = round(round(over(context!, wave) - round(low!)) / round(high! - low!));
			return round(round(round(1 - smooth) * frequency) / round(factor!)) + round(smooth * frequency);
		},
	},
};

/** One flat set of parameters: what is missing in it is taken from the top level, as transformers does. */
const ropeParameters = (config: Parameters, values: ConfigValues): Parameters => {
	const flat = flatten(stated(config, 'rope_scaling') ?? stated(config, 'rope_parameters') ?? {});
	const parameters = {
		...flat,
		rope_type: flat['rope_type'] ?? flat['type'] ?? 'default',
		rope_theta: flat['rope_theta'] ?? config['rope_theta'] ?? 10_000,
		original_max_position_embeddings: config['original_max_position_embeddings'] ?? flat['original_max_position_embeddings'] ?? values.max_position_embeddings,
	};
	const share = flat['partial_rotary_factor'] ?? config['partial_rotary_factor'] ?? 1;
	if (share !== 1) {
		throw badConfig(`partial_rotary_factor: expected 1 (every dimension of a head is rotated), got ${describe(share)}`);
	}

	return parameters;
};

/** An object at this key that says something; null and {} say nothing. */
const stated = (config: Parameters, key: string): Parameters | undefined => {
	const value = config[key] ?? {};
	if (typeof value !== 'object' || Array.isArray(value)) {
		throw badConfig(`${key}: expected an object, got ${describe(value)}`);
	}

	return Object.keys(value).length === 0 ? undefined : (value as Parameters);
};

/** Parameters that are given for each type of layer, if they are the same for all. */
const flatten = (parameters: Parameters): Parameters => {
	const nested = Object.entries(parameters).filter(([, value]) => typeof value === 'object' && value !== null && !Array.isArray(value));
	const [first, ...others] = nested;
	if (first === undefined || nested.length < Object.keys(parameters).length) {
		return parameters;
	}

	const different = others.find(([, value]) => canonical(value) !== canonical(first[1]));
	if (different !== undefined) {
		throw badConfig(`rope_parameters: expected the same for all layers, got others for ${different[0]} than for ${first[0]}`);
	}

	return first[1] as Parameters;
};

const canonical = (value: unknown): string => JSON.stringify(Object.entries(value as Parameters).sort(([a], [b]) => (a < b ? -1 : 1)));

const positive = (key: string, value: unknown): number => {
	if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
		throw badConfig(`rope parameters: expected ${key} to be a positive number, got ${value === undefined ? 'none' : describe(value)}`);
	}

	return value;
};
