import test from 'ava';
import {remapTokenIds, tokenIdsIn} from '../../ts/tokenizer/remap.js';

const keep = Uint32Array.of(0, 10, 20, 30);
const remap = (json: Record<string, unknown>) => remapTokenIds(json, keep, {file: '/model/generation_config.json'});

for (const [before, after] of [
	[{bos_token_id: 10}, {bos_token_id: 1}],
	[{eos_token_id: [20, 30]}, {eos_token_id: [2, 3]}],
	[{pad_token_id: null, sep_token_id: -1}, {pad_token_id: null, sep_token_id: -1}],
	[{decoder_start_token_id: 20, cls_token_id: 0, unk_token_id: 0}, {decoder_start_token_id: 2, cls_token_id: 0, unk_token_id: 0}],
	[{forced_bos_token_id: 10, forced_eos_token_id: [10]}, {forced_bos_token_id: 1, forced_eos_token_id: [1]}],
	[{image_token_id: 30, image_token_index: 20, video_token_ids: [10]}, {image_token_id: 3, image_token_index: 2, video_token_ids: [1]}],
	[{text_config: {eos_token_id: 20, vocab_size: 40}}, {text_config: {eos_token_id: 2, vocab_size: 40}}],
	[{suppress_tokens: [10, 11, 20], begin_suppress_tokens: [11]}, {suppress_tokens: [1, 2], begin_suppress_tokens: null}],
	[{suppress_tokens: []}, {suppress_tokens: []}],
	[{bad_words_ids: [[10, 20], [10, 11], [30]]}, {bad_words_ids: [[1, 2], [3]]}],
	[{bad_words_ids: [[11]]}, {bad_words_ids: null}],
	[{force_words_ids: [[10], [[20], [30, 0]]]}, {force_words_ids: [[1], [[2], [3, 0]]]}],
	[{sequence_bias: [[[10, 20], -0.5], [[11], 2]]}, {sequence_bias: [[[1, 2], -0.5]]}],
	[{forced_decoder_ids: [[1, 10], [2, null]]}, {forced_decoder_ids: [[1, 1], [2, null]]}],
	[{num_hidden_layers: 10, hidden_size: 20, label2id: {a: 10}, token_type_ids: [10], layer_types: ['a']}, {num_hidden_layers: 10, hidden_size: 20, label2id: {a: 10}, token_type_ids: [10], layer_types: ['a']}],
] as ReadonlyArray<readonly [Record<string, unknown>, Record<string, unknown>]>) {
	test(`${JSON.stringify(before)} becomes ${JSON.stringify(after)}`, t => {
		t.deepEqual(remap(before), {json: after, warnings: []});
	});
}

test('an id outside the vocabulary becomes null, with a warning that names it', t => {
	t.deepEqual(remap({a: {pad_token_id: 99}, eos_token_id: [20, 98]}), {
		json: {a: {pad_token_id: null}, eos_token_id: [2]},
		warnings: [
			'generation_config.json: a.pad_token_id: the token 99 is not in the vocabulary: now null',
			'generation_config.json: eos_token_id: the token 98 is not in the vocabulary: now null',
		],
	});
});

test('the original is left as it was, and keys keep their order', t => {
	const json = {z: 1, eos_token_id: [20], a: {pad_token_id: 10}};
	const before = structuredClone(json);
	t.deepEqual(Object.keys(remap(json).json), ['z', 'eos_token_id', 'a']);
	t.deepEqual(json, before);
});

test('the ids that a config needs are its roles and forced tokens, not those it only forbids', t => {
	t.deepEqual(tokenIdsIn({
		eos_token_id: [7, 5], pad_token_id: null, sep_token_id: -1, bos_token_id: 99, suppress_tokens: [1], bad_words_ids: [[2]], sequence_bias: [[[3], 1]],
		forced_decoder_ids: [[1, 8]], force_words_ids: [[[9]]], text_config: {image_token_index: 6}, vocab_size: 50,
	}), [5, 6, 7, 8, 9, 99]);
});
