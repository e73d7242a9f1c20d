// Every failure: its code, the essential part of its sentence, and nothing left behind.
import {mkdir, open, readFile, rm, symlink, truncate, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import type {ExecutionContext} from 'ava';
import {FlabError, inspect, openCheckpoint, plan, prune} from '../../ts/index.js';
import type {FlabErrorCode, PruneOptions} from '../../ts/index.js';
import {layerMetrics, positionalStrategies, rankedStrategies} from '../../ts/plan/choices.js';
import {readHeader} from '../../ts/checkpoint/safetensors.js';
import {rawSafetensors} from '../fixtures/pico.js';
import {calibrationTexts, picoPlace, writeTexts} from './checkpoints.js';
import type {PicoPlaceOptions, Place} from './checkpoints.js';
import {beside, contents} from './folders.js';

const cuts = {layers: {drop: 1}, ffn: {width: 24, multipleOf: 8}} as const;

/** Asserts that a run ends with this error, and that neither the input nor the folder around it has changed. */
const refuses = async (t: ExecutionContext, place: Place, code: FlabErrorCode, message: RegExp, options: Partial<PruneOptions> = {}): Promise<void> => {
	const before = await contents(place.root);
	const {root: _, ...paths} = place;
	const error = await t.throwsAsync(prune({...paths, ...cuts, ...options}), {instanceOf: FlabError}, message.source);
	t.is((error as FlabError).code, code, error.message);
	if (ofFiles.has(code)) {
		const {file} = error as FlabError;
		t.true(file?.startsWith(place.root) && error.message.startsWith(place.root), `${file}; ${error.message}`);
	}

	t.regex(error.message, message);
	t.deepEqual(await contents(place.root), before);
};

// Of a thousand checkpoints, they say which.
const ofFiles: ReadonlySet<FlabErrorCode> = new Set(['ERR_BAD_FILE', 'ERR_BAD_CONFIG', 'ERR_UNKNOWN_FAMILY', 'ERR_READ']);

const weights = ({model}: Place): string => join(model, 'model.safetensors');

/** The weights with another header. */
const withHeader = async (place: Place, change: (header: Record<string, {dtype: string; shape: number[]; data_offsets: [number, number]}>) => void): Promise<void> => {
	const file = await readFile(weights(place));
	const length = Number(file.readBigUInt64LE());
	const header = JSON.parse(file.subarray(8, 8 + length).toString()) as Parameters<typeof change>[0];
	change(header);
	await writeFile(weights(place), rawSafetensors(JSON.stringify(header), file.subarray(8 + length)));
};

const config = async ({model}: Place, change: (config: Record<string, unknown>) => void): Promise<void> => {
	const path = join(model, 'config.json');
	const value = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
	change(value);
	await writeFile(path, JSON.stringify(value));
};

const up = 'model.layers.2.mlp.up_proj.weight';

type Damage = {readonly code: FlabErrorCode; readonly message: RegExp; readonly options?: PicoPlaceOptions; readonly damage: (place: Place) => Promise<unknown>};

const damages: Readonly<Record<string, Damage>> = {
	'a truncated file': {code: 'ERR_BAD_FILE', message: /model\.safetensors: .*ends at byte [\d,]+, the file has [\d,]+/, damage: async place => truncate(weights(place), 100_000)},
	'an empty file': {code: 'ERR_BAD_FILE', message: /model\.safetensors: expected at least the 8 bytes/, damage: async place => truncate(weights(place), 0)},
	'a header longer than the file': {
		code: 'ERR_BAD_FILE', message: /the header is said to be 1,000,000,000 bytes long/, async damage(place) {
			const file = await open(weights(place), 'r+');
			await file.write(Buffer.from(BigUint64Array.of(1_000_000_000n).buffer), 0, 8, 0);
			await file.close();
		},
	},
	'offsets that overlap': {code: 'ERR_BAD_FILE', message: /model\.safetensors: "model\.layers/, damage: async place => withHeader(place, header => {
		header[up]!.data_offsets = [...header['model.layers.2.mlp.gate_proj.weight']!.data_offsets];
	})},
	'a shape that is not its bytes': {code: 'ERR_BAD_FILE', message: /up_proj\.weight/, damage: async place => withHeader(place, header => {
		header[up]!.shape[0]!++;
	})},
	'a dtype that nobody knows': {code: 'ERR_BAD_FILE', message: /up_proj\.weight" has the dtype "?F33/, damage: async place => withHeader(place, header => {
		header[up]!.dtype = 'F33';
	})},
	'weights that can only be copied': {code: 'ERR_BAD_FILE', message: /up_proj\.weight" has the dtype I32, expected one of F32, F16, BF16/, damage: async place => withHeader(place, header => {
		header[up]!.dtype = 'I32';
	})},
	'a tensor of another name': {code: 'ERR_BAD_FILE', message: /lacks 1 of the tensors that config\.json promises: "model\.layers\.2\.mlp\.up_proj\.weight"/, damage: async place => withHeader(place, header => {
		header['other'] = header[up]!;
		delete header[up];
	})},
	'a missing shard': {code: 'ERR_BAD_FILE', message: /names the shard model-00002-of-00003\.safetensors, which is missing/, options: {shards: 3}, damage: async ({model}) => rm(join(model, 'model-00002-of-00003.safetensors'))},
	'fewer layers in the config': {code: 'ERR_BAD_FILE', message: /belongs to layer 3, expected layers 0 to 2/, damage: async place => config(place, value => {
		value['num_hidden_layers'] = 3;
		delete value['layer_types'];
	})},
	'a config that is no JSON': {code: 'ERR_BAD_FILE', message: /config\.json/, damage: async ({model}) => writeFile(join(model, 'config.json'), '{"a": ')},
	'a missing config key': {code: 'ERR_BAD_CONFIG', message: /config\.json: .*intermediate_size/, damage: async place => config(place, value => {
		delete value['intermediate_size'];
	})},
	'an unknown family': {code: 'ERR_UNKNOWN_FAMILY', message: /gpt2/, damage: async place => config(place, value => {
		value['model_type'] = 'gpt2';
		value['architectures'] = ['GPT2LMHeadModel'];
	})},
	'quantised weights': {code: 'ERR_BAD_CONFIG', message: /expected weights that are not quantised/, damage: async place => config(place, value => {
		value['quantization_config'] = {quant_method: 'gptq'};
	})},
	'no config': {code: 'ERR_READ', message: /config\.json: could not read: no such file/, damage: async ({model}) => rm(join(model, 'config.json'))},
	'no weights': {code: 'ERR_READ', message: /expected weights as safetensors, got none/, damage: async place => rm(weights(place))},
	'no tokenizer': {code: 'ERR_BAD_TOKENIZER', message: /expected tokenizer\.json, found none/, damage: async ({model}) => rm(join(model, 'tokenizer.json'))},
	'a tokenizer that is no JSON': {code: 'ERR_BAD_TOKENIZER', message: /tokenizer\.json: not valid JSON/, damage: async ({model}) => truncate(join(model, 'tokenizer.json'), 1000)},
	'a generation config that is no JSON': {code: 'ERR_BAD_FILE', message: /generation_config\.json/, damage: async ({model}) => writeFile(join(model, 'generation_config.json'), '[1')},
	'a model folder that is not there': {code: 'ERR_READ', message: /model: could not read: no such file or directory/, damage: async ({model}) => rm(model, {recursive: true})},
	'a tokenizer larger than the embedding': {code: 'ERR_BAD_DATA', message: /corpus\.jsonl, record \d: expected token ids below 300, the size of the vocabulary, got \d{3}/, options: {vocabulary: 300}, damage: async () => undefined},
	'no calibration texts': {code: 'ERR_BAD_DATA', message: /^The calibration set is empty: no text gives a token$/, damage: async ({calibration}) => writeFile(calibration, '\uFEFF\r\n\n{"text": ""}\r\n')},
	'a calibration file that is not there': {code: 'ERR_READ', message: /calibration\.jsonl: could not read: no such file/, damage: async ({calibration}) => rm(calibration)},
	'a bad calibration record': {code: 'ERR_BAD_DATA', message: /calibration\.jsonl, line 4: expected a string in the field "text", got 7|calibration\.jsonl, line 4/, damage: async ({calibration}) => writeFile(calibration, '{"text": "a"}\n\n{"text": "b"}\n{"text": 7}\n')},
	'a corpus record that is no JSON': {code: 'ERR_BAD_DATA', message: /corpus\.jsonl, line 3: /, damage: async ({corpus}) => writeFile(corpus, '{"text": "a"}\r\n\r\n{"text": "b"\r\n')},
	'a corpus record without its field': {code: 'ERR_BAD_DATA', message: /corpus\.jsonl, line 2: expected a field text, content, code or prompt, found body/, damage: async ({corpus}) => writeFile(corpus, '{"text": "a"}\n{"body": "b"}\n')},
};

for (const [what, {code, message, options, damage}] of Object.entries(damages)) {
	test(`${what} is ${code}, and leaves nothing behind`, async t => {
		const place = await picoPlace(t, options);
		await damage(place);
		await refuses(t, place, code, message);
	});
}

test('texts that are no UTF-8 are refused by name, and passed over in a folder with a warning', async t => {
	const place = await picoPlace(t);
	const folder = join(place.root, 'folder');
	await mkdir(folder);
	await writeFile(join(folder, 'good.py'), 'import os\n');
	await writeFile(join(folder, 'other.py'), Buffer.from('# caf\xE9\n', 'latin1'));
	await refuses(t, place, 'ERR_BAD_DATA', /other\.py: expected UTF-8 text, got other bytes$/, {calibration: join(folder, 'other.py')});
	const {model, calibration} = place;
	for (const sources of [{corpus: folder}, {calibration: folder}, {calibration, evaluation: folder}]) {
		const {warnings} = await plan({model, layers: {drop: [1]}, ...sources});
		t.deepEqual(warnings, ['Not UTF-8 and passed over: other.py'], JSON.stringify(sources));
	}
});

test('blank lines, a byte-order mark and CRLF are no error', async t => {
	const place = await picoPlace(t);
	await writeFile(place.corpus, '\uFEFF{"text": "import os"}\r\n\r\n\n{"text": "pass"}');
	await writeFile(place.calibration, `\uFEFF\n${calibrationTexts.map(text => JSON.stringify({text})).join('\r\n\r\n')}\r\n`);
	const {root: _, ...paths} = place;
	const {plan: made} = await prune({...paths, ...cuts});
	t.is(made.data.calibration!.texts, calibrationTexts.length);
});

test('an existing output is refused before any work, be it empty, a folder, a file or a link', async t => {
	for (const make of [
		async ({out}: Place) => writeFile(out, ''),
		async ({out}: Place) => mkdir(out),
		async ({out, root}: Place) => symlink(join(root, 'nowhere'), out),
	]) {
		const place = await picoPlace(t);
		await make(place);
		const {root: _, ...paths} = place;
		const before = await beside(place);
		const phases: string[] = [];
		await t.throwsAsync(prune({...paths, ...cuts}, {onProgress: ({phase}) => phases.push(phase)}), {code: 'ERR_OUTPUT_EXISTS', message: /out: expected nothing at the output's path, got /});
		t.deepEqual(phases, []);
		t.deepEqual(await beside(place), before);
	}
});

test('an output in the model, or around what is read, is refused even with force', async t => {
	const place = await picoPlace(t);
	for (const out of [place.model, join(place.model, 'pruned'), place.root, '/']) {
		await refuses(t, {...place, out}, 'ERR_BAD_ARGUMENT', /^out: expected a folder apart from what is read, got /, {force: true});
	}

	await refuses(t, {...place, out: place.corpus}, 'ERR_BAD_ARGUMENT', /corpus\.jsonl/, {force: true});
	await refuses(t, {...place, out: place.calibration}, 'ERR_BAD_ARGUMENT', /calibration\.jsonl/, {force: true});
});

/** Writes a value over one element of a tensor. */
const poison = async (place: Place, name: string, element: number, value: number): Promise<void> => {
	const {tensors} = await readHeader(weights(place));
	const file = await open(weights(place), 'r+');
	await file.write(Buffer.from(Float32Array.of(value).buffer), 0, 4, tensors.find(tensor => tensor.name === name)!.begin + 4 * element);
	await file.close();
};

for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
	for (const metric of layerMetrics) {
		test(`weights with ${value} can't be judged by ${metric}, and the error says so`, async t => {
			const place = await picoPlace(t);
			await poison(place, 'model.layers.1.self_attn.v_proj.weight', 3, value);
			await refuses(t, place, 'ERR_BAD_DATA', /score/, {layers: {drop: 1, metric}, ffn: false});
		});
	}

	for (const strategy of [...rankedStrategies, 'auto'] as const) {
		test(`a neuron that computes ${value} can't be ranked by ${strategy}, and the error says so`, async t => {
			const place = await picoPlace(t);
			await poison(place, 'model.layers.1.mlp.up_proj.weight', 20 * 24, value);
			// An infinite norm is a norm: such a neuron stays, and verification finds it.
			const byVerification = value === Number.POSITIVE_INFINITY && strategy === 'magnitude';
			await refuses(t, place, byVerification ? 'ERR_VERIFY' : 'ERR_BAD_DATA', byVerification ? /got a relative error of NaN/ : /score/, {layers: false, ffn: {width: 24, multipleOf: 8, strategy}});
		});
	}

	for (const strategy of positionalStrategies) {
		test(`${value} behind neurons chosen by ${strategy} is found by verification`, async t => {
			const place = await picoPlace(t);
			await poison(place, 'model.layers.1.post_attention_layernorm.weight', 5, value);
			await refuses(t, place, 'ERR_VERIFY', /got a relative error of NaN/, {layers: false, ffn: {width: 24, multipleOf: 8, strategy}});
		});
	}

	test(`an output that computes ${value} is not published`, async t => {
		const place = await picoPlace(t);
		await poison(place, 'model.norm.weight', 3, value);
		await refuses(t, place, 'ERR_VERIFY', /expected the logits of the written checkpoint to be those of the masked original, got a relative error of NaN/, {layers: false, ffn: false});
	});

	test(`${value} in what is cut away does no harm`, async t => {
		const place = await picoPlace(t);
		await poison(place, 'model.layers.1.mlp.up_proj.weight', 20 * 24, value);
		await poison(place, 'lm_head.weight', 799 * 24, value);
		const {root: _, ...paths} = place;
		const {verification, plan: made} = await prune({...paths, layers: {drop: [1]}});
		t.is(verification!.relativeError, 0);
		t.false(made.vocabulary!.keep.some(([begin, end]) => begin <= 799 && 799 < end));
		const {names, tensor} = await openCheckpoint(place.out);
		t.true(names.every(name => (tensor(name).data as Float32Array).every(Number.isFinite)));
	});
}

test('calibration texts that all end in the same token are warned about, and so are equal ones', async t => {
	const place = await picoPlace(t);
	await writeTexts(place.calibration, ['def add(a):', 'while True:', 'class point:']);
	const {warnings} = await plan({model: place.model, calibration: place.calibration, ...cuts});
	t.is(warnings.length, 1);
	t.regex(warnings[0]!, /^All 3 calibration texts end in the same token \(\d+\): at positions "last" the model is only measured after this token/);
	await writeTexts(place.calibration, ['import os', 'import os']);
	t.deepEqual((await plan({model: place.model, calibration: place.calibration, ...cuts})).warnings, ['All 2 calibration texts are the same: the scores rest on a single text']);
	await writeTexts(place.calibration, ['import os', 'pass']);
	t.deepEqual((await plan({model: place.model, calibration: place.calibration, ...cuts})).warnings, []);
});

test('what is not carried over is named, and not there', async t => {
	const place = await picoPlace(t, {files: {'pytorch_model.bin': 'old', 'optimizer.pt': 'state', LICENSE: 'free', 'modeling.py': 'pass', '.gitattributes': '*'}});
	const {root: _, ...paths} = place;
	const {plan: made, output} = await prune({...paths, ...cuts});
	t.deepEqual(made.warnings, ['Not carried over: .gitattributes, optimizer.pt, pytorch_model.bin']);
	t.deepEqual(Object.keys(output.files).filter(name => /bin|\.pt$|gitattributes|LICENSE|modeling/.test(name)), ['LICENSE', 'modeling.py']);
	t.is(await readFile(join(place.out, 'LICENSE'), 'utf8'), 'free');
});

test('a SentencePiece file that would contradict the tokenizer is left out, with a warning', async t => {
	const place = await picoPlace(t, {tokenizer: 'llama'});
	const {root: _, ...paths} = place;
	const {plan: made, output} = await prune({...paths, ...cuts});
	t.true(made.warnings.some(warning => warning.startsWith('tokenizer.model is not carried over: it ')));
	t.false('tokenizer.model' in output.files);
});

test('inspect says what is there, with and without a tokenizer, and writes nothing', async t => {
	const place = await picoPlace(t, {dtype: 'BF16', tied: true});
	const before = await contents(place.root);
	const {family, tied, dtypes, vocabulary, tokenizer, prunable, parameters, bytes} = await inspect({model: place.model});
	t.deepEqual([family, tied, dtypes, vocabulary], ['qwen2', true, ['BF16'], 804]);
	t.deepEqual([tokenizer!.kind, tokenizer!.tokens, tokenizer!.addedTokens], ['bpe', 804, 4]);
	t.is(bytes, 2 * parameters);
	t.deepEqual(prunable.vocabulary, {tokens: 804, parametersPerToken: 24, bytesPerToken: 48});
	t.deepEqual(await contents(place.root), before);
	await rm(join(place.model, 'tokenizer.json'));
	t.is((await inspect({model: place.model})).tokenizer, undefined);
});
