import test from 'ava';
import type {FlabError} from '../../ts/errors.js';
import {identifyFamily} from '../../ts/families/identify.js';

const file = '/models/some/config.json';

for (const [modelType, architecture] of [['qwen2', 'Qwen2ForCausalLM'], ['llama', 'LlamaForCausalLM'], ['mistral', 'MistralForCausalLM'], ['qwen3', 'Qwen3ForCausalLM']] as const) {
	test(`${modelType} is known by its model_type, and without one by its architecture`, t => {
		t.is(identifyFamily({model_type: modelType}, file).name, modelType);
		t.is(identifyFamily({architectures: ['Other', architecture]}, file).name, modelType);
	});
}

const unknown = `${file}: expected the model_type of a known family (qwen2, llama, mistral, qwen3), got `;

const cases: ReadonlyArray<readonly [config: Record<string, unknown>, message: string]> = [
	[{model_type: 'gpt2', architectures: ['LlamaForCausalLM']}, `${unknown}"gpt2"`],
	[{}, `${unknown}none. The closest is qwen2, for which these keys are missing: model_type, vocab_size, hidden_size, intermediate_size, num_hidden_layers, num_attention_heads`],
	[{model_type: 7, hidden_size: 8, vocab_size: 9}, `${unknown}7. The closest is qwen2, for which these keys are missing: model_type, intermediate_size, num_hidden_layers, num_attention_heads`],
	[{model_type: '', architectures: ['Other'], hidden_size: 8, mlp_bias: false, attention_bias: false, pretraining_tp: 1}, `${unknown}"". The closest is llama, for which these keys are missing: model_type, vocab_size, intermediate_size, num_hidden_layers, num_attention_heads`],
	[{architectures: 'LlamaForCausalLM', head_dim: 128, attention_bias: false, use_sliding_window: false, max_window_layers: 28, sliding_window: null}, `${unknown}none. The closest is qwen3, for which these keys are missing: model_type, vocab_size, hidden_size, intermediate_size, num_hidden_layers, num_attention_heads`],
];

for (const [config, message] of cases) {
	test(`${JSON.stringify(config)} is of no known family`, t => {
		const error = t.throws(() => identifyFamily(config, file), {code: 'ERR_UNKNOWN_FAMILY', message});
		t.is((error as FlabError).file, file);
		t.regex((error as FlabError).hint!, config['model_type'] === 'gpt2' ? /^Only decoders of these families/ : /^Add "model_type" to config\.json/);
	});
}
