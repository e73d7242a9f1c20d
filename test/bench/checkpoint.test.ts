import {mkdir, mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {inspect, prune} from '../../ts/index.js';
import {load} from './load.js';

const {writeCheckpoint} = await load('checkpoint.mjs');

test('a checkpoint with random weights can be inspected and pruned', async t => {
	const folder = await mkdtemp(join(tmpdir(), 'flab-pruner-test-'));
	t.teardown(async () => rm(folder, {recursive: true}));
	const model = join(folder, 'model');
	await mkdir(model);
	await writeCheckpoint(model, {name: 'tiny', width: 24, layers: 3, queryHeads: 4, kvHeads: 2, ffnWidth: 40, vocabulary: 96});
	const {parameters} = await inspect({model});
	// Embedding, final norm; norms, query and output, key and value, FFN of each layer.
	t.is(parameters, 96 * 24 + 24 + 3 * (2 * 24 + 2 * 24 * 24 + 2 * 12 * 24 + 3 * 40 * 24));
	const out = join(folder, 'out');
	await prune({model, out, layers: {drop: [1]}, ffn: {width: 0.8, strategy: 'top', multipleOf: 1}, verify: false});
	t.is(JSON.parse(await readFile(join(out, 'config.json'), 'utf8')).intermediate_size, 32);
});
