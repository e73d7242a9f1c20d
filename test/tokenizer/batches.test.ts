import {setTimeout} from 'node:timers/promises';
import test from 'ava';
import type {Text} from '../../ts/calibration/texts.js';
import {batchesOf, inBatches} from '../../ts/tokenizer/batches.js';
import {streamOf} from './support.js';
import {msUnderLoad} from '../waits.js';

const megabyte = 'x'.repeat(1_000_000);

test('a batch is about a megabyte, and texts keep their order', async t => {
	const sizes: number[] = [];
	const records: number[] = [];
	for await (const batch of batchesOf(streamOf(['a', megabyte, 'b', 'c'.repeat(600_000), 'd'.repeat(600_000), 'e']))) {
		sizes.push(batch.length);
		records.push(...batch.map(({record}) => record));
	}

	t.deepEqual(sizes, [2, 3, 1]);
	t.deepEqual(records, [1, 2, 3, 4, 5, 6]);
});

test('an empty stream has no batch', async t => {
	for await (const batch of batchesOf(streamOf([]))) {
		t.fail(String(batch.length));
	}

	t.pass();
});

test('two batches run at a time, and results are used in order', async t => {
	let running = 0;
	let most = 0;
	const used: number[] = [];
	await inBatches(streamOf(Array.from({length: 5}, () => megabyte)), async ([text]) => {
		most = Math.max(most, ++running);
		await setTimeout(text!.record === 1 ? 20 : 1);
		running--;
		return text!.record;
	}, result => {
		used.push(result);
	});
	t.is(most, 2);
	t.deepEqual(used, [1, 2, 3, 4, 5]);
});

test('the first failure ends it, also when a later batch failed before', async t => {
	await t.throwsAsync(inBatches(streamOf([megabyte, megabyte, megabyte]), async ([text]: readonly Text[]) => {
		await setTimeout(text!.record === 1 ? 20 : 1);
		throw new Error(`batch ${text!.record}`);
	}, () => undefined), {message: 'batch 1'});
});

test('cancelling does not wait for the batch that runs', async t => {
	const controller = new AbortController();
	const begin = performance.now();
	const job = inBatches(streamOf(['a']), async () => setTimeout(5000, undefined, {ref: false}), () => undefined, {signal: controller.signal});
	await setTimeout(5);
	controller.abort();
	await t.throwsAsync(job, {code: 'ERR_ABORTED'});
	t.true(performance.now() - begin < msUnderLoad(1000));
});
