import test from 'ava';
import type {FlabError} from '../../ts/errors.js';
import {readSpec} from '../../ts/families/spec.js';
import {families, llama, mistral, qwen2, qwen3} from '../../ts/families/tables.js';
import type {Family} from '../../ts/families/family.js';

type Config = Record<string, unknown>;

const file = '/models/some/config.json';
const specOf = (family: Family, config: Config) => readSpec(family, config, file);

const base: Config = {vocab_size: 90, hidden_size: 16, intermediate_size: 12, num_hidden_layers: 4, num_attention_heads: 4, num_key_value_heads: 2};

test('a config becomes plain numbers', t => {
	const {inverseFrequencies, windows, ...numbers} = specOf(llama, {...base, head_dim: 6, rms_norm_eps: 1e-5, hidden_act: 'silu'});
	t.deepEqual(numbers, {layers: 4, width: 16, ffnWidth: 12, queryHeads: 4, kvHeads: 2, headWidth: 6, vocabulary: 90, normEps: 1e-5, rotaryScale: 1});
	t.is(inverseFrequencies.length, 3);
	t.deepEqual([...windows], [0, 0, 0, 0]);
});

// What the configuration classes of transformers 5.18 make of a config without these keys (num_key_value_heads: the
// classes' defaults are not the number of heads but for llama).
const defaults: ReadonlyArray<readonly [family: Family, config: Config, expected: Config]> = [
	[qwen2, {num_attention_heads: 64, hidden_size: 512}, {kvHeads: 32, headWidth: 8, normEps: 1e-6}],
	[qwen3, {num_attention_heads: 64, hidden_size: 512}, {kvHeads: 32, headWidth: 128, normEps: 1e-6}],
	[llama, {num_attention_heads: 64, hidden_size: 512}, {kvHeads: 64, headWidth: 8, normEps: 1e-6}],
	[mistral, {num_attention_heads: 64, hidden_size: 512}, {kvHeads: 8, headWidth: 8, normEps: 1e-6}],
	[qwen2, {num_key_value_heads: null}, {kvHeads: 4}],
	[llama, {head_dim: null}, {headWidth: 4}],
];

for (const [family, config, expected] of defaults) {
	test(`${family.name} fills in ${JSON.stringify(expected)} for ${JSON.stringify(config)}`, t => {
		const {num_key_value_heads: _, ...rest} = base;
		t.like(specOf(family, {...rest, ...config}), expected);
	});
}

for (const family of families) {
	test(`${family.name} names all missing keys at once`, t => {
		t.throws(() => specOf(family, {hidden_size: 16, num_attention_heads: 4, num_hidden_layers: null}), {
			code: 'ERR_BAD_CONFIG',
			message: `${file}: a ${family.name} model needs vocab_size, hidden_size, intermediate_size, num_hidden_layers, num_attention_heads; missing: vocab_size, intermediate_size, num_hidden_layers`,
		});
	});
}

const bad: ReadonlyArray<readonly [config: Config, message: string]> = [
	[{hidden_size: '16', rms_norm_eps: 0}, 'hidden_size: expected a whole number from 1 to 2147483647, got "16"; rms_norm_eps: expected a positive number, got 0'],
	[{vocab_size: 0}, 'vocab_size: expected a whole number from 1 to 2147483647, got 0'],
	[{num_hidden_layers: 1e9}, 'num_hidden_layers: expected a whole number from 1 to 10000, got 1000000000'],
	[{intermediate_size: 1.5}, 'intermediate_size: expected a whole number from 1 to 2147483647, got 1.5'],
	[{hidden_act: 'gelu'}, 'hidden_act: expected "silu", got "gelu"'],
	[{tie_word_embeddings: 'yes'}, 'tie_word_embeddings: expected true or false, got "yes"'],
	[{num_key_value_heads: 3}, 'num_attention_heads: expected a multiple of num_key_value_heads (3), got 4'],
	[{head_dim: 5}, 'head_dim: expected an even number, since rotary embeddings turn pairs, got 5'],
	[{hidden_size: 2}, 'head_dim: expected a whole number from 1 to 65536, or null, got 0'],
	[{layer_types: ['full_attention']}, 'layer_types: expected 4 names, one for each layer, got 1'],
	[{layer_types: [1, 2, 3, 4]}, 'layer_types: expected a list of names, or null, got [1,2,3,4]'],
	[{per_layer_config: {0: {}}}, 'per_layer_config: expected no such key, got an Object'],
	[{rope_scaling: {rope_type: 'yarn', factor: 4}}, 'rope type: expected one of default, linear, llama3, got "yarn"'],
	[{rope_parameters: {rope_type: 'dynamic', factor: 4}}, 'rope type: expected one of default, linear, llama3, got "dynamic"'],
	[{rope_scaling: {type: 'longrope'}}, 'rope type: expected one of default, linear, llama3, got "longrope"'],
	[{rope_scaling: {type: 'toString'}}, 'rope type: expected one of default, linear, llama3, got "toString"'],
	[{rope_scaling: {type: 'linear'}}, 'rope parameters: expected factor to be a positive number, got none'],
	[{rope_scaling: {type: 'llama3', factor: 8, low_freq_factor: 1}}, 'rope parameters: expected high_freq_factor to be a positive number, got none'],
	[{rope_theta: '10000'}, 'rope parameters: expected rope_theta to be a positive number, got "10000"'],
	[{rope_scaling: [4]}, 'rope_scaling: expected an object, got [4]'],
	[{partial_rotary_factor: 0.5}, 'partial_rotary_factor: expected 1 (every dimension of a head is rotated), got 0.5'],
	[{rope_parameters: {rope_theta: 1e4, partial_rotary_factor: 0.25}}, 'partial_rotary_factor: expected 1 (every dimension of a head is rotated), got 0.25'],
	[{rope_parameters: {full_attention: {rope_theta: 1e4}, sliding_attention: {rope_theta: 1e6}}}, 'rope_parameters: expected the same for all layers, got others for sliding_attention than for full_attention'],
];

for (const [config, message] of bad) {
	test(`refuses a config with ${JSON.stringify(config)}`, t => {
		const error = t.throws(() => specOf(llama, {...base, ...config}), {code: 'ERR_BAD_CONFIG', message: `${file}: ${message}`});
		t.is((error as FlabError).file, file);
	});
}

// Some elements of `inv_freq` of LlamaRotaryEmbedding in transformers 5.18 on torch 2.13, printed in full.
const llama3 = {rope_type: 'llama3', low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192};
const frequencies: ReadonlyArray<readonly [name: string, config: Config, values: Readonly<Record<number, number>>]> = [
	['default, theta 1e4', {head_dim: 16, rope_parameters: {rope_type: 'default', rope_theta: 1e4}}, {0: 1, 1: 0.3162277638912201, 2: 0.10000000149011612, 3: 0.03162277862429619, 4: 0.009999999776482582, 5: 0.003162277862429619, 6: 0.0010000000474974513, 7: 0.0003162277862429619}],
	['default, theta 1e6', {head_dim: 128, rope_theta: 1e6}, {0: 1, 1: 0.8058422207832336, 31: 0.0012409378541633487, 32: 0.0010000000474974513, 63: 1.2409377632138785e-06}],
	['linear by 4', {head_dim: 64, rope_theta: 1e5, rope_scaling: {type: 'linear', factor: 4}}, {0: 0.25, 1: 0.1744576394557953, 16: 0.0007905694656074047, 31: 3.582531689971802e-06}],
	['linear by 2.5', {head_dim: 12, rope_theta: 1e4, rope_scaling: {type: 'linear', factor: 2.5}}, {0: 0.4000000059604645, 1: 0.08617737889289856, 2: 0.018566353246569633, 3: 0.003999999724328518, 4: 0.0008617737330496311, 5: 0.00018566357903182507}],
	['llama3 by 32', {head_dim: 64, rope_theta: 5e5, rope_scaling: {...llama3, factor: 32}}, {0: 1, 1: 0.663601279258728, 13: 0.00483942124992609, 14: 0.0032114461064338684, 15: 0.0012905480107292533, 16: 0.000429556705057621, 17: 9.708286233944818e-05, 18: 1.9461638657958247e-05, 31: 9.418306490260875e-08}],
	['llama3 by 8', {head_dim: 128, rope_theta: 5e5, rope_scaling: {...llama3, factor: 8}}, {0: 1, 27: 0.003942275885492563, 28: 0.0032114461064338684, 29: 0.0021665706299245358, 31: 0.0008567514596506953, 33: 0.0003126936499029398, 35: 9.556212171446532e-05, 36: 7.784655463183299e-05, 63: 3.068925877869333e-07}],
	['llama3 by 3, small', {head_dim: 16, rope_theta: 1e4, rope_scaling: {...llama3, factor: 3, low_freq_factor: 1.5, high_freq_factor: 5, original_max_position_embeddings: 64}}, {0: 1, 1: 0.2090759128332138, 2: 0.03333333507180214, 3: 0.010540925897657871, 4: 0.003333333181217313, 5: 0.0010540926596149802, 6: 0.0003333333588670939, 7: 0.0001054092645063065}],
];

for (const [name, config, values] of frequencies) {
	test(`rotary frequencies agree with transformers to the last bit but one: ${name}`, t => {
		const {inverseFrequencies} = specOf(llama, {...base, ...config});
		t.is(inverseFrequencies.length, Number(config['head_dim']) / 2);
		for (const [index, value] of Object.entries(values)) {
			const got = inverseFrequencies[Number(index)]!;
			// One unit in the last place of float32: PyTorch's vectorised power may differ by it.
			t.true(Math.abs(got - value) <= value * 2 ** -23, `[${index}]: expected ${value}, got ${got}`);
		}
	});
}

const same: ReadonlyArray<readonly [what: string, a: Config, b: Config]> = [
	['the old and the new form', {rope_theta: 5e5, rope_scaling: {type: 'linear', factor: 2}}, {rope_parameters: {rope_type: 'linear', rope_theta: 5e5, factor: 2}}],
	['no form and theta 10,000', {}, {rope_parameters: {rope_type: 'default', rope_theta: 1e4}}],
	['an empty or null rope_scaling and none', {rope_scaling: {}, rope_parameters: {rope_theta: 7e4}}, {rope_scaling: null, rope_theta: 7e4}],
	['theta in rope_parameters and theta beside it, which counts less', {rope_theta: 3, rope_parameters: {rope_theta: 7e4}}, {rope_theta: 7e4}],
	['rope_scaling and rope_parameters, which count less', {rope_theta: 1e4, rope_scaling: {type: 'linear', factor: 2}, rope_parameters: {rope_type: 'default'}}, {rope_scaling: {type: 'linear', factor: 2}}],
	['equal parameters for all types of layers and flat ones', {rope_parameters: {full_attention: {rope_theta: 7e4, rope_type: 'default'}, sliding_attention: {rope_type: 'default', rope_theta: 7e4}}}, {rope_theta: 7e4}],
	['llama3 without an original length and with that of the model', {max_position_embeddings: 64, rope_scaling: {...llama3, factor: 8, original_max_position_embeddings: undefined}}, {rope_scaling: {...llama3, factor: 8, original_max_position_embeddings: 64}}],
];

for (const [what, a, b] of same) {
	test(`rotary frequencies are the same for ${what}`, t => {
		const read = (config: Config): Float32Array => specOf(llama, {...base, hidden_size: 64, ...config}).inverseFrequencies;
		t.deepEqual(read(a), read(b));
		t.notDeepEqual(read(a), read({rope_theta: 12_345}));
	});
}

const full = 'full_attention';
const slides = 'sliding_attention';

// As Qwen2Config, Qwen3Config, MistralConfig and their models in transformers 5.18 have it.
const windows: ReadonlyArray<readonly [families: readonly Family[], config: Config, expected: readonly number[]]> = [
	[[qwen2, qwen3], {sliding_window: 5, max_window_layers: 2}, [0, 0, 0, 0]],
	[[qwen2, qwen3], {use_sliding_window: false, sliding_window: 5, max_window_layers: 0}, [0, 0, 0, 0]],
	[[qwen2, qwen3], {use_sliding_window: true, sliding_window: 5, max_window_layers: 2}, [0, 0, 5, 5]],
	[[qwen2, qwen3], {use_sliding_window: true, sliding_window: 5, max_window_layers: 0}, [5, 5, 5, 5]],
	[[qwen2, qwen3], {use_sliding_window: true, sliding_window: 5}, [0, 0, 0, 0]],
	[[qwen2, qwen3], {use_sliding_window: true, sliding_window: null, max_window_layers: 0}, [0, 0, 0, 0]],
	[[qwen2, qwen3], {use_sliding_window: true, max_window_layers: 3}, [0, 0, 0, 4096]],
	[[qwen2, qwen3], {use_sliding_window: true, sliding_window: 5, max_window_layers: 4, layer_types: [slides, full, slides, full]}, [5, 0, 5, 0]],
	[[mistral], {sliding_window: 7}, [7, 7, 7, 7]],
	[[mistral], {sliding_window: null}, [0, 0, 0, 0]],
	[[mistral], {}, [4096, 4096, 4096, 4096]],
	[[mistral], {sliding_window: 7, layer_types: [full, full, full, full]}, [7, 7, 7, 7]],
	[[llama], {sliding_window: 7, use_sliding_window: true}, [0, 0, 0, 0]],
];

for (const [of, config, expected] of windows) {
	for (const family of of) {
		test(`${family.name} with ${JSON.stringify(config)} has the windows ${expected.join(', ')}`, t => {
			t.deepEqual([...specOf(family, {...base, ...config}).windows], expected);
		});
	}
}

const badWindows: ReadonlyArray<readonly [config: Config, message: string]> = [
	[{layer_types: [full, slides, full, full], sliding_window: 5}, 'layer_types: layer 1 is called sliding_attention, but use_sliding_window is false'],
	[{layer_types: [full, slides, full, full], use_sliding_window: true, sliding_window: null}, 'layer_types: layer 1 is called sliding_attention, but sliding_window is null'],
	[{layer_types: [full, full, 'linear_attention', full]}, 'layer_types: expected full_attention or sliding_attention, got "linear_attention" for layer 2'],
	[{use_sliding_window: true, sliding_window: 0}, 'sliding_window: expected a whole number from 1 to 2147483647, or null, got 0'],
];

for (const [config, message] of badWindows) {
	test(`qwen2 refuses the windows of ${JSON.stringify(config)}`, t => {
		t.throws(() => specOf(qwen2, {...base, ...config}), {code: 'ERR_BAD_CONFIG', message: `${file}: ${message}`});
	});
}
