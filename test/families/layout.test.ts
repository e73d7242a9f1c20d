import test from 'ava';
import {readCheckpoint} from '../../ts/checkpoint/read.js';
import {layoutOf, type ModelLayout} from '../../ts/families/layout.js';
import {nativeModel} from '../../ts/families/nativeModel.js';
import {parameterTable} from '../../ts/families/parameters.js';
import type {MappedFile} from '../../ts/native/contract.js';
import {picoCheckpoint, type PicoFamily, type PicoOptions, type TestContext} from '../fixtures/pico.js';

const layout = async (t: TestContext, options: PicoOptions): Promise<ModelLayout> =>
	layoutOf(await readCheckpoint((await picoCheckpoint(t, options)).dir));

const sizes = {layers: 2, width: 10, ffnWidth: 7, queryHeads: 3, kvHeads: 1, headWidth: 4, vocabulary: 13} as const;

const always = ['inputNorm', 'query', 'key', 'value', 'output', 'ffnNorm', 'gate', 'up', 'down'];
const inputBiases = ['queryBias', 'keyBias', 'valueBias'];
const roles: ReadonlyArray<readonly [family: PicoFamily, biases: boolean, roles: readonly string[]]> = [
	['qwen2', false, [...always, ...inputBiases]],
	['llama', false, always],
	['llama', true, [...always, ...inputBiases, 'outputBias', 'gateBias', 'upBias', 'downBias']],
	['mistral', false, always],
	['qwen3', false, [...always, 'queryNorm', 'keyNorm']],
	['qwen3', true, [...always, 'queryNorm', 'keyNorm', ...inputBiases, 'outputBias']],
];

for (const [family, biases, expected] of roles) {
	for (const tied of [false, true]) {
		test(`every tensor of ${tied ? 'a tied' : 'an untied'} ${family} ${biases ? 'with' : 'without'} biases has its role`, async t => {
			const found = await layout(t, {...sizes, family, biases, tied, shards: 2});
			t.is(found.family.name, family);
			t.is(found.tied, tied);
			t.true(found.tensors.every(({role}) => role !== undefined));
			const model = nativeModel(found, path => ({path}) as unknown as MappedFile, 'f32');
			t.is(model.head === model.embedding, tied);
			t.is(model.head.name, tied ? 'model.embed_tokens.weight' : 'lm_head.weight');
			t.is(model.finalNorm.name, 'model.norm.weight');
			t.is(model.layers.length, 2);
			for (const [layer, tensors] of model.layers.entries()) {
				t.deepEqual(Object.keys(tensors).sort(), [...expected].sort());
				t.true(Object.values(tensors).every(({name}) => name.startsWith(`model.layers.${layer}.`)));
			}

			t.like(model.layers[1]!.down, {shape: [10, 7], dtype: 'F32', name: 'model.layers.1.mlp.down_proj.weight'});
			t.like(model.layers[1]!.output, {shape: [10, 12], name: 'model.layers.1.self_attn.o_proj.weight'});
		});
	}
}

test('each file is mapped once', async t => {
	const found = await layout(t, {shards: 3});
	const mapped: string[] = [];
	nativeModel(found, path => {
		mapped.push(path);
		return {} as MappedFile;
	}, 'bf16');
	t.is(mapped.length, 3);
	t.is(new Set(mapped).size, 3);
});

test('a head that a tied checkpoint stores all the same is a tensor of its own', async t => {
	const found = await layout(t, {...sizes, tied: true, storeHead: true});
	t.false(found.tied);
	t.is(nativeModel(found, () => ({}) as MappedFile, 'f32').head.name, 'lm_head.weight');
});

test('a tied checkpoint may store the head in place of the embedding', async t => {
	const checkpoint = await readCheckpoint((await picoCheckpoint(t, {...sizes, tied: true, storeHead: true})).dir);
	const tensors = new Map(checkpoint.tensors);
	tensors.delete('model.embed_tokens.weight');
	const found = layoutOf({...checkpoint, tensors});
	t.true(found.tied);
	t.is(nativeModel(found, () => ({}) as MappedFile, 'f32').embedding.name, 'lm_head.weight');
});

test('unknown tensors belong to the layer in their name, or to none', async t => {
	const extra = ['model.layers.1.self_attn.rotary_emb.inv_freq', 'model.layers.01.x', 'model.layers.x', 'visual.layers.1.x', 'model.layers.1'];
	const {tensors} = await layout(t, {...sizes, extra: extra.map(name => ({name, dtype: 'I8', shape: [1], bytes: 1}))});
	const found = tensors.filter(({role}) => role === undefined).map(({entry, layer}) => [entry.name, layer]);
	t.deepEqual(found, extra.map((name, index) => [name, index === 0 ? 1 : undefined]));
});

const bad: ReadonlyArray<readonly [what: string, options: PicoOptions, message: RegExp, hint?: RegExp]> = [
	['lacks its head', {tied: true, config: {tie_word_embeddings: false}}, /^\/.*\/model: lacks 1 of the tensors that config\.json promises: "lm_head\.weight"$/, /tie_word_embeddings/],
	['has fewer layers than it says', {...sizes, config: {num_hidden_layers: 3, layer_types: undefined}}, /^\/.*\/model: lacks 12 of the tensors .*: "model\.layers\.2\..*"(, "model\.layers\.2\.[^"]*"){4}, \.\.\.$/],
	['has more layers than it says', {...sizes, config: {num_hidden_layers: 1, layer_types: undefined}}, /"model\.layers\.1\.[^"]*" belongs to layer 1, expected layers 0 to 0 as config\.json says/],
	['has another vocabulary than it says', {...sizes, config: {vocab_size: 14}}, /"lm_head\.weight" has the shape \[13, 10\], expected \[14, 10\] as config\.json says/],
	['has another FFN width than it says', {...sizes, config: {intermediate_size: 8}}, /"model\.layers\.0\.mlp\.down_proj\.weight" has the shape \[10, 7\], expected \[10, 8\]/],
	['has other heads than it says', {...sizes, config: {num_key_value_heads: 3}}, /"model\.layers\.0\.self_attn\.k_proj\.weight" has the shape \[4, 10\], expected \[12, 10\]/],
	['lacks the biases that it says it has', {...sizes, family: 'llama', config: {mlp_bias: true}}, /^\/.*\/model: lacks 6 of the tensors .*mlp\.gate_proj\.bias/],
	['is of an unknown family', {config: {model_type: 'gpt_neox'}}, /got "gpt_neox"$/],
];

for (const [what, options, message, hint = /./] of bad) {
	test(`refuses a checkpoint that ${what}`, async t => {
		const error = await t.throwsAsync(layout(t, options), {code: what === 'is of an unknown family' ? 'ERR_UNKNOWN_FAMILY' : 'ERR_BAD_FILE', message});
		t.regex((error as unknown as {hint: string}).hint, hint);
	});
}

test('refuses to compute with a tensor of integers, but carries an unknown one', async t => {
	const {dir} = await picoCheckpoint(t, {...sizes, extra: [{name: 'table', dtype: 'I32', shape: [2], bytes: 8}]});
	const checkpoint = await readCheckpoint(dir);
	t.notThrows(() => layoutOf(checkpoint));
	const tensors = new Map(checkpoint.tensors);
	const norm = tensors.get('model.norm.weight')!;
	tensors.set(norm.name, {...norm, dtype: 'I32'});
	const error = t.throws(() => layoutOf({...checkpoint, tensors}), {code: 'ERR_BAD_FILE', message: /"model\.norm\.weight" has the dtype I32, expected one of F32, F16, BF16/});
	t.regex((error as unknown as {hint: string}).hint, /^Convert the weights to BF16, F16 or F32/);
});

test('parameters and bytes are counted by component and by what could be pruned', async t => {
	const table = parameterTable(await layout(t, {...sizes, family: 'qwen2', dtype: 'BF16', extra: [{name: 'table', dtype: 'I32', shape: [2, 3], bytes: 24}]}));
	const attention = 2 * (12 * 10 + 2 * (4 * 10) + 10 * 12 + 12 + 4 + 4);
	t.deepEqual(table.rows, [
		{component: 'embedding', tensors: 1, parameters: 130, bytes: 260},
		{component: 'head', tensors: 1, parameters: 130, bytes: 260},
		{component: 'attention', tensors: 14, parameters: attention, bytes: 2 * attention},
		{component: 'ffn', tensors: 6, parameters: 420, bytes: 840},
		{component: 'norms', tensors: 5, parameters: 50, bytes: 100},
		{component: 'other', tensors: 1, parameters: 6, bytes: 24},
	]);
	t.deepEqual(table.total, {tensors: 28, parameters: 736 + attention, bytes: 2 * (730 + attention) + 24});
	t.deepEqual(table.tokens, {count: 13, parametersEach: 20, bytesEach: 40});
	t.deepEqual(table.layers, {count: 2, parametersEach: attention / 2 + 210 + 20, bytesEach: attention + 460});
	t.deepEqual(table.neurons, {count: 7, parametersEach: 60, bytesEach: 120});
});
