// The model families. Sources: configuration_*.py and modeling_*.py of transformers 5.18 (defaults of absent keys, which
// projections have a bias, where windows come from) and the names that its save_pretrained writes.

import type {Family, TensorRule} from './family.js';

const layerPrefix = 'model.layers.';
const attention = `${layerPrefix}{layer}.self_attn`;
const ffn = `${layerPrefix}{layer}.mlp`;

const decoder: readonly TensorRule[] = [
	{role: 'embedding', name: 'model.embed_tokens.weight', axes: ['V', 'D'], component: 'embedding'},
	{role: 'inputNorm', name: `${layerPrefix}{layer}.input_layernorm.weight`, axes: ['D'], component: 'norms'},
	{role: 'query', name: `${attention}.q_proj.weight`, axes: ['HE', 'D'], component: 'attention'},
	{role: 'key', name: `${attention}.k_proj.weight`, axes: ['KE', 'D'], component: 'attention'},
	{role: 'value', name: `${attention}.v_proj.weight`, axes: ['KE', 'D'], component: 'attention'},
	{role: 'output', name: `${attention}.o_proj.weight`, axes: ['D', 'HE'], component: 'attention'},
	{role: 'ffnNorm', name: `${layerPrefix}{layer}.post_attention_layernorm.weight`, axes: ['D'], component: 'norms'},
	{role: 'gate', name: `${ffn}.gate_proj.weight`, axes: ['F', 'D'], component: 'ffn'},
	{role: 'up', name: `${ffn}.up_proj.weight`, axes: ['F', 'D'], component: 'ffn'},
	{role: 'down', name: `${ffn}.down_proj.weight`, axes: ['D', 'F'], component: 'ffn'},
	{role: 'finalNorm', name: 'model.norm.weight', axes: ['D'], component: 'norms'},
	{role: 'head', name: 'lm_head.weight', axes: ['V', 'D'], component: 'head'},
];

const inputBiases = (when?: string): readonly TensorRule[] => [
	{role: 'queryBias', name: `${attention}.q_proj.bias`, axes: ['HE'], component: 'attention', when},
	{role: 'keyBias', name: `${attention}.k_proj.bias`, axes: ['KE'], component: 'attention', when},
	{role: 'valueBias', name: `${attention}.v_proj.bias`, axes: ['KE'], component: 'attention', when},
];

const outputBias = (when: string): TensorRule => ({role: 'outputBias', name: `${attention}.o_proj.bias`, axes: ['D'], component: 'attention', when});

const ffnBiases = (when: string): readonly TensorRule[] => [
	{role: 'gateBias', name: `${ffn}.gate_proj.bias`, axes: ['F'], component: 'ffn', when},
	{role: 'upBias', name: `${ffn}.up_proj.bias`, axes: ['F'], component: 'ffn', when},
	{role: 'downBias', name: `${ffn}.down_proj.bias`, axes: ['D'], component: 'ffn', when},
];

const headNorms: readonly TensorRule[] = [
	{role: 'queryNorm', name: `${attention}.q_norm.weight`, axes: ['E'], component: 'norms'},
	{role: 'keyNorm', name: `${attention}.k_norm.weight`, axes: ['E'], component: 'norms'},
];

const common = {
	layerPrefix,
	requiredKeys: ['vocab_size', 'hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads'],
	// mlp_layer_types belongs to other families, but transformers holds its length to the number of layers in all of them.
	perLayerLists: ['layer_types', 'mlp_layer_types'],
	layerBoundaries: [],
	sizeKeys: {vocabulary: 'vocab_size', ffnWidth: 'intermediate_size', layers: 'num_hidden_layers'},
} as const;

const commonDefaults = {hidden_act: 'silu', rms_norm_eps: 1e-6, tie_word_embeddings: false} as const;
const qwenWindows = {use_sliding_window: false, sliding_window: 4096, max_window_layers: 28} as const;

/** Qwen2, Qwen2.5 and CodeQwen1.5: biases on query, key and value. */
export const qwen2: Family = {
	...common,
	name: 'qwen2',
	architecture: 'Qwen2ForCausalLM',
	tensors: [...decoder, ...inputBiases()],
	typicalKeys: ['use_sliding_window', 'max_window_layers', 'sliding_window'],
	defaults: {...commonDefaults, ...qwenWindows, num_key_value_heads: 32, max_position_embeddings: 32_768},
	windows: 'by-layer-type',
	layerBoundaries: ['max_window_layers'],
};

/** Llama 1 to 3, DeepSeek-Coder 1, SmolLM and others of the architecture. */
export const llama: Family = {
	...common,
	name: 'llama',
	architecture: 'LlamaForCausalLM',
	tensors: [...decoder, ...inputBiases('attention_bias'), outputBias('attention_bias'), ...ffnBiases('mlp_bias')],
	typicalKeys: ['attention_bias', 'mlp_bias', 'pretraining_tp'],
	defaults: {...commonDefaults, attention_bias: false, mlp_bias: false, max_position_embeddings: 2048},
	windows: 'none',
};

/** Mistral 7B and others of the architecture: one window for all layers. */
export const mistral: Family = {
	...common,
	name: 'mistral',
	architecture: 'MistralForCausalLM',
	tensors: decoder,
	typicalKeys: ['sliding_window'],
	defaults: {...commonDefaults, num_key_value_heads: 8, sliding_window: 4096, max_position_embeddings: 131_072},
	windows: 'every-layer',
};

/** Qwen3, dense: RMSNorm on each query and key head. */
export const qwen3: Family = {
	...common,
	name: 'qwen3',
	architecture: 'Qwen3ForCausalLM',
	tensors: [...decoder, ...headNorms, ...inputBiases('attention_bias'), outputBias('attention_bias')],
	typicalKeys: ['use_sliding_window', 'max_window_layers', 'attention_bias', 'head_dim'],
	defaults: {...commonDefaults, ...qwenWindows, attention_bias: false, num_key_value_heads: 32, head_dim: 128, max_position_embeddings: 32_768},
	windows: 'by-layer-type',
	layerBoundaries: ['max_window_layers'],
};

/** Every family, the most common first. */
export const families: readonly Family[] = [qwen2, llama, mistral, qwen3];
