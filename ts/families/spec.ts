import type {ModelSpec} from '../native/contract.js';
import type {Family} from './family.js';
import {inverseFrequencies} from './rope.js';
import {inConfig, readValues} from './values.js';
import {attentionWindows} from './windows.js';

/**
 * What the decoder has to know about a model, from its config.json, as numbers.
 *
 * @param file path of the config.json, for messages
 * @throws `ERR_BAD_CONFIG`, naming every missing key at once, or every key with an unusable value
 */
export const readSpec = (family: Family, config: Readonly<Record<string, unknown>>, file: string): ModelSpec => inConfig(file, () => {
	const values = readValues(family, config);
	return {
		layers: values.num_hidden_layers,
		width: values.hidden_size,
		ffnWidth: values.intermediate_size,
		queryHeads: values.num_attention_heads,
		kvHeads: values.num_key_value_heads,
		headWidth: values.head_dim,
		vocabulary: values.vocab_size,
		normEps: values.rms_norm_eps,
		inverseFrequencies: inverseFrequencies(config, values),
		// Only yarn and longrope scale the cosines, and those are refused.
		rotaryScale: 1,
		windows: attentionWindows(family, values),
	};
});
