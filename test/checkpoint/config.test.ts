import test from 'ava';
import {pruneConfig} from '../../ts/checkpoint/config.js';
import {readSpec} from '../../ts/families/spec.js';
import {llama, mistral, qwen2} from '../../ts/families/tables.js';
import type {Family} from '../../ts/families/family.js';

const list = (...indices: readonly number[]): Uint32Array => Uint32Array.from(indices);
const base = {unknown_key: {a: [1]}, vocab_size: 90, hidden_size: 8, num_attention_heads: 2, num_key_value_heads: 1, num_hidden_layers: 4, intermediate_size: 12, eos_token_id: [89]};
const specOf = (family: Family, config: Record<string, unknown>) => readSpec(family, config, 'config.json');
const prune = (family: Family, config: Record<string, unknown>, keep: Parameters<typeof pruneConfig>[2]): Readonly<Record<string, unknown>> =>
	pruneConfig(config, {family, spec: specOf(family, config)}, keep);

test('keeping everything changes nothing', t => {
	const config = {...base, layer_types: ['full_attention', 'full_attention', 'full_attention', 'full_attention'], max_window_layers: 28};
	t.deepEqual(prune(qwen2, config, {}), config);
});

test('the sizes follow the keep lists, other keys and their order stay', t => {
	const config = {...base, layer_types: null, max_window_layers: 28};
	const pruned = prune(llama, config, {tokens: list(0, 5, 89), layers: list(1, 3), neurons: [list(0, 1, 2, 3), list(4, 5, 6, 7)]});
	t.deepEqual(pruned, {...config, vocab_size: 3, num_hidden_layers: 2, intermediate_size: 4});
	t.deepEqual(Object.keys(pruned), Object.keys(config));
});

const slides = 'sliding_attention';
const full = 'full_attention';
const windowed = {...base, use_sliding_window: true, sliding_window: 5};

// In each case the kept layers must have the windows that they had.
const cases: ReadonlyArray<readonly [name: string, family: Family, config: Record<string, unknown>, changed: Record<string, unknown>]> = [
	['layer_types', qwen2, {...windowed, layer_types: [full, slides, full, slides]}, {layer_types: [full, slides]}],
	['max_window_layers in the middle', qwen2, {...windowed, max_window_layers: 2}, {max_window_layers: 1}],
	['max_window_layers at the start', qwen2, {...windowed, max_window_layers: 0}, {max_window_layers: 0}],
	['max_window_layers past the end', qwen2, {...windowed, max_window_layers: 28}, {max_window_layers: 2}],
	['max_window_layers with layer_types', qwen2, {...windowed, layer_types: [full, full, slides, slides], max_window_layers: 2}, {layer_types: [full, slides], max_window_layers: 1}],
	['layer_types that llama ignores', llama, {...base, layer_types: [full, full, slides, slides]}, {layer_types: [full, slides]}],
	['one window for all', mistral, {...base, sliding_window: 5}, {}],
];

for (const [name, family, config, changed] of cases) {
	test(`dropping layers keeps each layer's window: ${name}`, t => {
		const keep = list(0, 3);
		const pruned = prune(family, config, {layers: keep});
		t.deepEqual(pruned, {...config, num_hidden_layers: 2, ...changed});
		t.deepEqual([...specOf(family, pruned).windows], [...keep].map(layer => specOf(family, config).windows[layer]));
	});
}

test('a boundary that the config leaves to its default of 28 is stated when layers before it go', t => {
	const config = {...windowed, num_hidden_layers: 30};
	const keep = Uint32Array.from({length: 27}, (_, index) => index + 3);
	const pruned = prune(qwen2, config, {layers: keep});
	t.is(pruned['max_window_layers'], 25);
	t.deepEqual([...specOf(qwen2, pruned).windows], [...keep].map(layer => (layer < 28 ? 0 : 5)));
});

test('an impossible keep list is refused', t => {
	t.throws(() => prune(qwen2, base, {layers: list(7)}), {code: 'ERR_BAD_PLAN'});
});
