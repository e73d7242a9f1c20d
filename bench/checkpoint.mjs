// A checkpoint with a real model's shapes and random weights: config.json and model.safetensors.

import {open, writeFile} from 'node:fs/promises';
import {join} from 'node:path';

const tensorsOf = ({width, layers, queryHeads, kvHeads, ffnWidth, vocabulary}) => {
	const keyWidth = kvHeads * (width / queryHeads);
	return [
		['model.embed_tokens.weight', vocabulary, width],
		...Array.from({length: layers}, (_, layer) => [
			['input_layernorm.weight', width],
			['self_attn.q_proj.weight', width, width],
			['self_attn.k_proj.weight', keyWidth, width],
			['self_attn.v_proj.weight', keyWidth, width],
			['self_attn.o_proj.weight', width, width],
			['post_attention_layernorm.weight', width],
			['mlp.gate_proj.weight', ffnWidth, width],
			['mlp.up_proj.weight', ffnWidth, width],
			['mlp.down_proj.weight', width, ffnWidth],
		].map(([name, ...shape]) => [`model.layers.${layer}.${name}`, ...shape])).flat(),
		['model.norm.weight', width],
	].map(([name, ...shape]) => ({name, shape, bytes: 2 * shape.reduce((a, b) => a * b, 1)}));
};

const configOf = ({width, layers, queryHeads, kvHeads, ffnWidth, vocabulary}) => ({
	architectures: ['LlamaForCausalLM'],
	model_type: 'llama',
	dtype: 'bfloat16',
	hidden_act: 'silu',
	hidden_size: width,
	intermediate_size: ffnWidth,
	max_position_embeddings: 2048,
	num_attention_heads: queryHeads,
	num_hidden_layers: layers,
	num_key_value_heads: kvHeads,
	rms_norm_eps: 1e-5,
	rope_theta: 10_000,
	tie_word_embeddings: true,
	vocab_size: vocabulary,
});

/** 2 MiB of bf16 numbers of either sign between 2^-7 and 2^-5: the weights, again and again. */
const noise = () => {
	let state = 1;
	return Buffer.from(Uint16Array.from({length: 1 << 20}, () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return 0x3c00 | ((state >>> 16) & 0x80ff);
	}).buffer);
};

/** Writes the checkpoint into a folder, down to the disk. */
export const writeCheckpoint = async (folder, model) => {
	await writeFile(join(folder, 'config.json'), JSON.stringify(configOf(model)));
	const tensors = tensorsOf(model);
	let end = 0;
	const header = Buffer.from(JSON.stringify(Object.fromEntries(tensors.map(({name, shape, bytes}) => {
		const begin = end;
		end += bytes;
		return [name, {dtype: 'BF16', shape, data_offsets: [begin, end]}];
	}))));
	const length = Buffer.alloc(8);
	length.writeBigUInt64LE(BigInt(header.length));
	const file = await open(join(folder, 'model.safetensors'), 'w');
	try {
		await file.writev([length, header]);
		const weights = noise();
		for (let left = end; left > 0; left -= weights.length) {
			await file.write(weights, 0, Math.min(left, weights.length));
		}

		await file.sync();
	} finally {
		await file.close();
	}
};
