import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import type {ExecutionContext} from 'ava';
import {prune} from '../../ts/index.js';
import type {PruneOptions, Report} from '../../ts/index.js';
import {picoPlace, tinyModels, tinyPlace} from './checkpoints.js';
import type {PicoPlaceOptions, Place} from './checkpoints.js';
import {checkOutput} from './expected.js';
import {beside} from './folders.js';

type Cuts = Pick<PruneOptions, 'vocabulary' | 'layers' | 'ffn'>;

// Widths that are no multiple of anything; 31 is the smallest FFN of the tiny checkpoints.
const vocabulary = {select: 'used', multipleOf: 4} as const;
const layers = {drop: 1};
const ffn = {width: 23, multipleOf: 1};
const cuts: Readonly<Record<string, Cuts>> = {
	'vocabulary, layers and FFN': {vocabulary, layers, ffn},
	'the vocabulary alone': {vocabulary},
	'layers alone': {vocabulary: false, layers},
	'the FFN alone': {vocabulary: false, ffn},
};

const pruneAndCheck = async (t: ExecutionContext, place: Place, options: Cuts & Pick<PruneOptions, 'maxShardBytes'>): Promise<Report> => {
	const {root: _, ...paths} = place;
	const report = await prune({...paths, ...options});
	t.true(report.verification!.relativeError <= 1e-6, `relative error ${report.verification!.relativeError}`);
	t.true(report.verification!.positions > 10);
	t.deepEqual(await beside(place), ['out']);
	await checkOutput(t, {...place, plan: report.plan, maxShardBytes: options.maxShardBytes});
	const {plan} = report;
	t.is(plan.vocabulary !== null, options.vocabulary !== false);
	t.is(plan.layers?.after, options.layers ? plan.source.config.layers - 1 : undefined);
	t.is(plan.ffn?.after, options.ffn ? 23 : undefined);
	if (plan.vocabulary) {
		t.true(plan.vocabulary.after < plan.vocabulary.before && plan.vocabulary.after % 4 === 0, `${plan.vocabulary.after} of ${plan.vocabulary.before} tokens`);
		t.is(plan.vocabulary.proof['differing'], 0);
	}

	return report;
};

for (const name of tinyModels) {
	for (const [what, options] of Object.entries(cuts)) {
		test(`${name}: ${what} pruned is the masked original, tensor by tensor`, async t => {
			await pruneAndCheck(t, await tinyPlace(t, name), options);
		});
	}
}

const picos: Readonly<Record<string, PicoPlaceOptions>> = {
	'qwen2, tied, three bf16 shards, padding rows': {family: 'qwen2', tied: true, dtype: 'BF16', shards: 3, tokenizer: 'qwen', paddingRows: 29, config: {bos_token_id: null, eos_token_id: [802, 800], pad_token_id: 800}},
	'qwen2, f16, no special tokens': {family: 'qwen2', dtype: 'F16', tokenizer: 'strings', width: 20, headWidth: 10, queryHeads: 2, kvHeads: 1, ffnWidth: 31},
	'llama with biases, tied, two shards, SentencePiece BPE': {family: 'llama', biases: true, tied: true, shards: 2, tokenizer: 'llama', ffnWidth: 43},
	'llama, bf16, Unigram with bytes': {family: 'llama', dtype: 'BF16', tokenizer: 'unigram-bytes', kvHeads: 4, layers: 2},
	'mistral with a window, f16, ignore_merges, padding rows': {family: 'mistral', dtype: 'F16', tokenizer: 'whole-words', paddingRows: 3, config: {sliding_window: 4, bos_token_id: 704, eos_token_id: 705, pad_token_id: null}},
	'mistral, tied with a head of its own, Unigram': {family: 'mistral', tied: true, storeHead: true, tokenizer: 'unigram', width: 18, headWidth: 14, queryHeads: 3, kvHeads: 1},
	'qwen3 with biases, tied, bf16, odd heads': {family: 'qwen3', biases: true, tied: true, dtype: 'BF16', tokenizer: 'unigram', width: 20, headWidth: 14, queryHeads: 3, kvHeads: 3, ffnWidth: 53, layers: 3},
	'qwen3, four shards, windows by layer': {
		family: 'qwen3', shards: 4, layers: 5, tokenizer: 'qwen',
		config: {sliding_window: 4, use_sliding_window: true, max_window_layers: 3, layer_types: ['full_attention', 'full_attention', 'full_attention', 'sliding_attention', 'sliding_attention']},
	},
};

for (const [name, options] of Object.entries(picos)) {
	test(`${name}: pruned in shards of at most 20 kB, it is the masked original`, async t => {
		const place = await picoPlace(t, options);
		await pruneAndCheck(t, place, {vocabulary, layers, ffn, maxShardBytes: 20_000});
	});
}

test('tensors that no family knows are carried over byte for byte, whatever their dtype, and follow their layer', async t => {
	const place = await picoPlace(t, {
		shards: 2,
		extra: [
			{name: 'model.layers.0.scales', dtype: 'F8_E4M3', shape: [3, 5], bytes: 15},
			{name: 'model.layers.3.scales', dtype: 'I64', shape: [7], bytes: 56},
			{name: 'model.layers.3.mask', dtype: 'BOOL', shape: [1, 1, 9], bytes: 9},
			{name: 'counter', dtype: 'U8', shape: [], bytes: 1},
			{name: 'nothing', dtype: 'F32', shape: [0, 4], bytes: 0},
		],
	});
	await pruneAndCheck(t, place, {vocabulary, layers: {drop: [1]}, ffn, maxShardBytes: 20_000});
});

test('token ids of the configs follow their tokens', async t => {
	const place = await picoPlace(t, {
		config: {bos_token_id: null, eos_token_id: [802, 800], pad_token_id: 800},
		files: {'generation_config.json': JSON.stringify({eos_token_id: [802, 800], pad_token_id: 800, bad_words_ids: [[801], [799, 801]], temperature: 0.7})},
	});
	const {plan} = await prune({model: place.model, out: place.out, corpus: place.corpus});
	const size = plan.vocabulary!.after;
	const read = async (name: string) => JSON.parse(await readFile(join(place.out, name), 'utf8')) as Record<string, unknown>;
	const config = await read('config.json');
	t.deepEqual([config['eos_token_id'], config['pad_token_id'], config['bos_token_id']], [[size - 2, size - 4], size - 4, null]);
	t.deepEqual(await read('generation_config.json'), {eos_token_id: [size - 2, size - 4], pad_token_id: size - 4, bad_words_ids: [[size - 3]], temperature: 0.7});
	const tokenizer = await read('tokenizer.json') as {padding: {pad_id: number}; added_tokens: {id: number}[]};
	t.is(tokenizer.padding.pad_id, size - 4);
	t.deepEqual(tokenizer.added_tokens.map(({id}) => id), [size - 4, size - 3, size - 2, size - 1]);
	const {added_tokens_decoder: decoder, eos_token_id: end} = await read('tokenizer_config.json') as {added_tokens_decoder: object; eos_token_id: number};
	t.deepEqual([Object.keys(decoder).map(Number), end], [[size - 4, size - 3, size - 2, size - 1], size - 2]);
	t.deepEqual(Object.values(await read('added_tokens.json')), [size - 4, size - 3, size - 2, size - 1]);
	t.is(Object.keys(await read('vocab.json')).length, size - 4);
});

test('the divergence of a stage is that of the plan, and the vocabulary alone costs none', async t => {
	const place = await picoPlace(t);
	const {root: _, ...paths} = place;
	const {plan} = await prune({...paths, evaluation: place.corpus, layers, ffn});
	const [original, tokens, shortened, narrowed] = plan.stages;
	t.deepEqual(plan.stages.map(({name, vocabulary: size, layers: depth, ffnWidth}) => [name, size, depth, ffnWidth]), [
		['original', 804, 4, 40], ['vocabulary', plan.vocabulary!.after, 4, 40], ['layers', plan.vocabulary!.after, 3, 40], ['ffn', plan.vocabulary!.after, 3, 23],
	]);
	t.deepEqual([original!.divergence, tokens!.divergence], [0, 0]);
	const step = plan.layers!.steps[0]!;
	t.is(shortened!.divergence, step.scores.find(({layer}) => layer === step.dropped[0])!.score);
	t.is(narrowed!.divergence, plan.ffn!.candidates.find(({strategy}) => strategy === plan.ffn!.strategy)!.divergence);
	for (const stage of plan.stages) {
		t.true(stage.lossPerByte! > 0 && stage.lossPerToken! > 0 && stage.tokensPerByte! > 0);
	}

	// Logits of dropped tokens leave the sum of the softmax: the loss of what stays can only fall.
	t.true(tokens!.lossPerByte! <= original!.lossPerByte!);
});
