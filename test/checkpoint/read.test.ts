import {mkdir, readdir, readFile, rename, rm, symlink, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {readCheckpoint} from '../../ts/checkpoint/read.js';
import {picoCheckpoint, rawSafetensors, temporaryFolder, type PicoOptions} from '../fixtures/pico.js';

type Edit = (dir: string) => Promise<void>;

const indexName = 'model.safetensors.index.json';
const first = 'model-00001-of-00002.safetensors';
const second = 'model-00002-of-00002.safetensors';

const editIndex = (change: (map: Record<string, string>) => unknown): Edit => async dir => {
	const index = JSON.parse(await readFile(join(dir, indexName), 'utf8')) as {weight_map: Record<string, string>};
	const replaced = change(index.weight_map);
	await writeFile(join(dir, indexName), JSON.stringify(replaced === undefined ? index : {...index, weight_map: replaced}));
};

const write = (name: string, text: string | Uint8Array): Edit => async dir => writeFile(join(dir, name), text);
const remove = (...names: readonly string[]): Edit => async dir => {
	for (const name of names) {
		await rm(join(dir, name));
	}
};

type Damage = readonly [damage: string, options: PicoOptions, edit: Edit, code: string, message: RegExp];

const sharded: PicoOptions = {shards: 2, layers: 1};
const single: PicoOptions = {layers: 1};

const damages: readonly Damage[] = [
	['has no config.json', single, remove('config.json'), 'ERR_READ', /config\.json: could not read: no such file/],
	['has an empty config.json', single, write('config.json', ''), 'ERR_BAD_FILE', /\/config\.json: not valid JSON/],
	['has a config.json cut short', single, write('config.json', '{"model_type": "qwen2",'), 'ERR_BAD_FILE', /\/config\.json: not valid JSON/],
	['has a config.json that is a list', single, write('config.json', '[1]'), 'ERR_BAD_FILE', /\/config\.json: expected a JSON object, got \[1\]/],
	['has a config.json that is not UTF-8', single, write('config.json', Buffer.from([0x7b, 0xff, 0x7d])), 'ERR_BAD_FILE', /\/config\.json: expected UTF-8 text/],
	['has a broken generation_config.json', single, write('generation_config.json', '{'), 'ERR_BAD_FILE', /\/generation_config\.json: not valid JSON/],
	['is quantised', {...single, config: {quantization_config: {quant_method: 'gptq', bits: 4}}}, async () => undefined, 'ERR_BAD_CONFIG', /not quantised, got a quantization_config \(gptq\)/],
	['has no weights', single, remove('model.safetensors'), 'ERR_READ', /expected weights as safetensors, got none/],
	['has only pytorch_model.bin', single, async dir => rename(join(dir, 'model.safetensors'), join(dir, 'pytorch_model.bin')), 'ERR_READ', /expected weights as safetensors, got only pytorch_model\.bin/],
	['has two files and no index', sharded, remove(indexName), 'ERR_BAD_FILE', /expected model\.safetensors\.index\.json or model\.safetensors, got 2 other safetensors files/],
	['has a truncated shard', sharded, async dir => writeFile(join(dir, second), (await readFile(join(dir, second))).subarray(0, -1)), 'ERR_BAD_FILE', /\/model-00002-of-00002\.safetensors: "model\.norm\.weight" ends at byte [\d,]+, the file has [\d,]+: it is truncated/],
	['has a broken index', sharded, write(indexName, '{"weight_map": '), 'ERR_BAD_FILE', /\/model\.safetensors\.index\.json: not valid JSON/],
	['has an index without a weight_map', sharded, write(indexName, '{"metadata": {}}'), 'ERR_BAD_FILE', /expected "weight_map" to be an object, got undefined/],
	['has an index that names a tensor twice', sharded, write(indexName, `{"weight_map": {"x": "${first}", "x": "${first}"}}`), 'ERR_BAD_FILE', /"x" is there twice/],
	['has an index that names a shard by a number', sharded, editIndex(() => ({x: 1})), 'ERR_BAD_FILE', /"x" is said to be in 1, expected the name of a safetensors file in the same folder/],
	['has an index that leads out of the folder', sharded, editIndex(map => ({...map, x: '../other/model.safetensors'})), 'ERR_BAD_FILE', /"x" is said to be in "\.\.\/other\/model\.safetensors", expected the name of/],
	['has an index with an absolute path', sharded, editIndex(map => ({...map, x: '/etc/model.safetensors'})), 'ERR_BAD_FILE', /"x" is said to be in "\/etc\/model\.safetensors"/],
	['has an index that names a missing shard', sharded, remove(second), 'ERR_BAD_FILE', /index\.json: names the shard model-00002-of-00002\.safetensors, which is missing \(it should hold "/],
	['has an index that names a dangling link', sharded, async dir => {
		await rm(join(dir, second));
		await symlink('nowhere', join(dir, second));
	}, 'ERR_BAD_FILE', /names the shard model-00002-of-00002\.safetensors, which is missing/],
	['has an index with a tensor that no shard holds', sharded, editIndex(map => ({...map, ghost: first})), 'ERR_BAD_FILE', /"ghost" is said to be in model-00001-of-00002\.safetensors, which does not hold it/],
	['has an index that names the wrong shard', sharded, editIndex(map => ({...map, 'model.norm.weight': first})), 'ERR_BAD_FILE', /"model\.norm\.weight" is said to be in model-00001-of-00002\.safetensors, but it is in model-00002/],
	['has an index that lacks a tensor', sharded, editIndex(map => {
		delete map['model.norm.weight'];
	}), 'ERR_BAD_FILE', /"model\.norm\.weight" is in model-00002-of-00002\.safetensors, but not in the index/],
	['has a tensor in two shards', sharded, async dir => {
		const header = '{"model.norm.weight":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}';
		await writeFile(join(dir, 'model-00003.safetensors'), rawSafetensors(header, Buffer.alloc(1)));
		await editIndex(map => ({...map, other: 'model-00003.safetensors'}))(dir);
	}, 'ERR_BAD_FILE', /\/model-00003\.safetensors: "model\.norm\.weight" is also in model-00002-of-00002\.safetensors/],
];

for (const [damage, options, edit, code, message] of damages) {
	test(`refuses a checkpoint that ${damage}`, async t => {
		const {dir} = await picoCheckpoint(t, options);
		await edit(dir);
		const names = await readdir(dir);
		const error = await t.throwsAsync(readCheckpoint(dir), {code});
		t.regex(error!.message, message);
		t.truthy((error as {hint?: string}).hint);
		t.deepEqual(await readdir(dir), names);
	});
}

test('refuses a folder that is not there, and a file in its place', async t => {
	const dir = await temporaryFolder(t);
	await t.throwsAsync(readCheckpoint(join(dir, 'none')), {code: 'ERR_READ', message: /none: could not read: no such file/});
	await writeFile(join(dir, 'file'), '');
	await t.throwsAsync(readCheckpoint(join(dir, 'file')), {code: 'ERR_READ', message: /expected a folder with a checkpoint, got a file/});
});

for (const shards of [1, 2, 5]) {
	test(`reads every tensor of a checkpoint in ${shards} file(s)`, async t => {
		const {dir, config, tensors} = await picoCheckpoint(t, {shards, dtype: 'BF16'});
		const checkpoint = await readCheckpoint(dir);
		t.deepEqual(checkpoint.config, config);
		t.deepEqual(checkpoint.generationConfig?.['eos_token_id'], [2]);
		t.is(checkpoint.shards.length, shards);
		t.is(checkpoint.indexMetadata === undefined, shards === 1);
		t.deepEqual([...checkpoint.tensors.keys()], tensors.map(({name}) => name));
		for (const {name, data, shape} of tensors) {
			const entry = checkpoint.tensors.get(name)!;
			t.deepEqual(entry.shape, shape);
			t.true((await readFile(entry.path)).subarray(entry.begin, entry.begin + entry.bytes).equals(data));
		}
	});
}

test('reads a checkpoint whose files are links into another folder', async t => {
	const {dir} = await picoCheckpoint(t, {...sharded, files: {'README.md': '# x', LICENSE: 'x'}});
	const linked = join(await temporaryFolder(t), 'snapshot');
	await mkdir(linked);
	for (const name of await readdir(dir)) {
		await symlink(join(dir, name), join(linked, name));
	}

	const {shards, sideFiles} = await readCheckpoint(linked);
	t.is(shards.length, 2);
	t.deepEqual(sideFiles, {tokenizer: [], card: 'README.md', other: ['LICENSE']});
});

test('takes the only safetensors file, whatever its name', async t => {
	const {dir} = await picoCheckpoint(t, single);
	await rename(join(dir, 'model.safetensors'), join(dir, 'weights.safetensors'));
	const {shards, leftBehind} = await readCheckpoint(dir);
	t.is(shards[0]!.file, 'weights.safetensors');
	t.deepEqual(leftBehind, []);
});

test('takes model.safetensors beside an index for other files', async t => {
	const {dir} = await picoCheckpoint(t, single);
	await writeFile(join(dir, indexName), `{"weight_map": {"x": "${first}"}}`);
	const {shards, leftBehind} = await readCheckpoint(dir);
	t.is(shards[0]!.file, 'model.safetensors');
	t.deepEqual(leftBehind, [indexName]);
});

test('tells files to carry over from files to leave behind', async t => {
	const carried = ['LICENSE', 'NOTICE.txt', 'modeling_custom.py', 'preprocessor_config.json'];
	const tokenizer = ['chat_template.jinja', 'merges.txt', 'qwen.tiktoken', 'tokenizer.json', 'tokenizer.model.v3', 'tokenizer_config.json', 'vocab.json'];
	const left = ['.gitattributes', 'consolidated.safetensors', 'flax_model.msgpack', 'model.Q4_K_M.gguf', 'model.onnx', 'optimizer.pt', 'params.json', 'pytorch_model.bin', 'pytorch_model.bin.index.json', 'tf_model.h5', 'trainer_state.json', 'x.pth'];
	const {dir} = await picoCheckpoint(t, {...sharded, files: Object.fromEntries([...carried, ...tokenizer, ...left, 'README.md'].map(name => [name, '{}']))});
	for (const folder of ['original', 'additional_chat_templates', 'onnx']) {
		await mkdir(join(dir, folder));
		await writeFile(join(dir, folder, 'tool_use.jinja'), '');
	}

	const {sideFiles, leftBehind} = await readCheckpoint(dir);
	t.deepEqual(sideFiles, {tokenizer: [...tokenizer, 'additional_chat_templates/tool_use.jinja'], card: 'README.md', other: carried});
	t.deepEqual([...leftBehind].sort(), [...left, 'original/', 'onnx/'].sort());
});
