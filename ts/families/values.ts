import {describe, FlabError} from '../errors.js';
import type {Family} from './family.js';

type Config = Readonly<Record<string, unknown>>;

/** The keys of config.json that the decoder depends on, checked, absent ones filled in. */
export type ConfigValues = {
	readonly vocab_size: number;
	readonly hidden_size: number;
	readonly intermediate_size: number;
	readonly num_hidden_layers: number;
	readonly num_attention_heads: number;
	readonly num_key_value_heads: number;
	readonly head_dim: number;
	readonly rms_norm_eps: number;
	readonly tie_word_embeddings: boolean;
	readonly max_position_embeddings: number;
	readonly use_sliding_window: boolean;
	readonly sliding_window: number | null;
	readonly max_window_layers: number;
	readonly layer_types: readonly string[] | null;
};

type Kind = {readonly expected: string; readonly accepts: (value: unknown) => boolean};

// Upper bounds keep a damaged config from asking for gigabytes before the weights are looked at.
const countTo = (most: number): Kind => ({expected: `a whole number from 1 to ${most}`, accepts: value => isWhole(value) && value >= 1 && value <= most});
const count = countTo(2 ** 31 - 1);
const boolean: Kind = {expected: 'true or false', accepts: value => typeof value === 'boolean'};
const orNull = ({expected, accepts}: Kind): Kind => ({expected: `${expected}, or null`, accepts: value => value === null || accepts(value)});

const kinds: Readonly<Record<string, Kind>> = {
	vocab_size: count,
	hidden_size: count,
	intermediate_size: count,
	num_hidden_layers: countTo(10_000),
	num_attention_heads: count,
	num_key_value_heads: orNull(count),
	head_dim: orNull(countTo(65_536)),
	hidden_act: {expected: '"silu"', accepts: value => value === 'silu'},
	rms_norm_eps: {expected: 'a positive number', accepts: value => typeof value === 'number' && Number.isFinite(value) && value > 0},
	tie_word_embeddings: boolean,
	attention_bias: boolean,
	mlp_bias: boolean,
	max_position_embeddings: count,
	use_sliding_window: boolean,
	sliding_window: orNull(count),
	max_window_layers: {expected: 'a whole number from 0', accepts: value => isWhole(value) && value >= 0},
	layer_types: orNull({expected: 'a list of names', accepts: value => Array.isArray(value) && value.every(item => typeof item === 'string')}),
	// Other settings for some layers than for others: no family here has them, so the decoder doesn't either.
	per_layer_config: {expected: 'no such key', accepts: value => value === null},
};

/**
 * Checks the keys of config.json that this family's decoder depends on and fills in the defaults.
 *
 * @throws `ERR_BAD_CONFIG`, naming every missing key, or every key with an unusable value
 */
export const readValues = (family: Family, config: Config): ConfigValues => {
	const missing = family.requiredKeys.filter(key => config[key] === undefined || config[key] === null);
	if (missing.length > 0) {
		throw badConfig(`a ${family.name} model needs ${family.requiredKeys.join(', ')}; missing: ${missing.join(', ')}`);
	}

	const values = withDefaults({...family.defaults, ...config});
	complain(Object.entries(kinds)
		.filter(([key, {accepts}]) => values[key] !== undefined && !accepts(values[key]))
		.map(([key, {expected}]) => `${key}: expected ${expected}, got ${describe(values[key])}`));
	complain(disagreements(values as ConfigValues));
	return values as ConfigValues;
};

/** The one form of a complaint about config.json; `inConfig` says which. */
export const badConfig = (what: string): FlabError =>
	new FlabError('ERR_BAD_CONFIG', what, {hint: 'Compare config.json with the one that was published with the model.'});

/** What `read` finds in the config.json at `file`. @throws `ERR_BAD_CONFIG` with the path in front of what is wrong */
export const inConfig = <Result>(file: string, read: () => Result): Result => {
	try {
		return read();
	} catch (error) {
		throw error instanceof FlabError ? new FlabError(error.code, `${file}: ${error.message}`, {file, hint: error.hint, cause: error}) : error;
	}
};

const withDefaults = (config: Config): Config => ({
	...config,
	num_key_value_heads: config['num_key_value_heads'] ?? config['num_attention_heads'],
	head_dim: config['head_dim'] ?? Math.floor(Number(config['hidden_size']) / Number(config['num_attention_heads'])),
});

const disagreements = ({num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: headWidth, layer_types: layerTypes, num_hidden_layers: layers}: ConfigValues): string[] => [
	...(heads % kvHeads === 0 ? [] : [`num_attention_heads: expected a multiple of num_key_value_heads (${kvHeads}), got ${heads}`]),
	...(headWidth % 2 === 0 ? [] : [`head_dim: expected an even number, since rotary embeddings turn pairs, got ${headWidth}`]),
	...(layerTypes === undefined || layerTypes === null || layerTypes.length === layers ? [] : [`layer_types: expected ${layers} names, one for each layer, got ${layerTypes.length}`]),
];

const complain = (complaints: readonly string[]): void => {
	if (complaints.length > 0) {
		throw badConfig(complaints.join('; '));
	}
};

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value);
