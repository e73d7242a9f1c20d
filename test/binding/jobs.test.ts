import {AsyncLocalStorage} from 'node:async_hooks';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {performance} from 'node:perf_hooks';
import {setTimeout as sleep} from 'node:timers/promises';
import {setFlagsFromString} from 'node:v8';
import {runInNewContext} from 'node:vm';
import test from 'ava';
import {temporaryFolder} from '../fixtures/pico.js';
import {modelsFolder, openTiny, pack} from '../native/reference.js';
import type {Job, JobProgress, Native} from '../../ts/native/contract.js';
import {codeOf, manyTexts, mostJobs, nextTick, startLong, within} from './support.js';
import {msUnderLoad} from '../waits.js';

type Opened = Awaited<ReturnType<typeof openTiny>>;

const texts = pack([1, 2, 3, 4, 5, 6, 7], [8, 9], [10, 11, 12, 13]);
const all = {view: {}, texts, positions: 'all'} as const;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Every kind of job that has progress, on an opened model. */
const jobs: Readonly<Record<string, (opened: Opened, onProgress?: JobProgress) => Job<unknown>>> = {
	scoreLayers: ({native, model}, onProgress) => native.scoreLayers({model, ...all, candidates: true, losses: true}, onProgress),
	'scoreLayers without candidates': ({native, model}, onProgress) => native.scoreLayers({model, ...all, candidates: false, losses: false}, onProgress),
	'scoreLayers of a shortened view': ({native, model}, onProgress) => native.scoreLayers({model, ...all, view: {layers: Uint32Array.of(0, 2)}, candidates: true, losses: false}, onProgress),
	measure: ({native, model}, onProgress) => native.measure({model, reference: {}, candidates: [{}, {layers: Uint32Array.of(1)}], texts, positions: 'last', losses: true}, onProgress),
	rankNeurons: ({native, model}, onProgress) => native.rankNeurons({model, view: {}, texts, metrics: ['wanda', 'magnitude']}, onProgress),
	logits: ({native, model}, onProgress) => native.logits({model, ...all}, onProgress),
	compare: ({native, model}, onProgress) => native.compare({a: {model, view: {}, texts}, b: {model, view: {layers: Uint32Array.of(0, 1)}, texts}}, onProgress),
};

for (const [name, start] of Object.entries(jobs)) {
	test.serial(`${name}: progress only grows and ends at its total`, async t => {
		const events: Array<readonly [done: number, total: number]> = [];
		await start(await openTiny('qwen2-tied'), (done, total) => {
			events.push([done, total]);
		}).promise;
		const [done, total] = events.at(-1)!;
		t.is(done, total);
		t.true(total > 0);
		t.true(events.every(([value, of], i) => of === total && value > (events[i - 1]?.[0] ?? 0)), JSON.stringify(events));
	});

	test.serial(`${name}: what the progress callback throws is what the job rejects with`, async t => {
		const thrown = {not: 'even an Error'};
		const job = start(await openTiny('qwen2-tied'), () => {
			throw thrown;
		});
		t.is(await job.promise.catch((error: unknown) => error), thrown);
	});
}

test.serial('an exception of the progress callback stops the job at once, and its callback is not called again', async t => {
	const {native, model} = await openTiny('qwen2-tied');
	let calls = 0;
	const start = performance.now();
	const error = new Error('enough');
	const job = startLong(native, model, () => {
		calls++;
		throw error;
	});
	t.is(await job.promise.catch((reason: unknown) => reason), error);
	t.is(calls, 1);
	t.true(performance.now() - start < msUnderLoad(2000));
});

test.serial('a cancelled job rejects with ERR_ABORTED within a second, and its model works on', async t => {
	const {native, model} = await openTiny('qwen2-tied');
	const before = await native.logits({model, ...all}).promise;
	const job = startLong(native, model);
	await sleep(300);
	const start = performance.now();
	job.cancel();
	await t.throwsAsync(job.promise, {code: 'ERR_ABORTED', message: 'The operation was cancelled'});
	t.true(performance.now() - start < msUnderLoad(1000), `${performance.now() - start} ms`);
	t.deepEqual(await native.logits({model, ...all}).promise, before);
});

test.serial('cancelling at once, twice, or after the end does no harm', async t => {
	const {native, model} = await openTiny('qwen2-tied');
	const early = startLong(native, model);
	early.cancel();
	early.cancel();
	t.is(await codeOf(early.promise), 'ERR_ABORTED');
	const ended = native.logits({model, ...all});
	await ended.promise;
	ended.cancel();
	t.true((await ended.promise).length > 0);
});

test.serial('a job that waits for its model can be cancelled while it waits', async t => {
	const {native, model} = await openTiny('qwen2-tied');
	const running = startLong(native, model);
	await sleep(50);
	const waiting = native.logits({model, ...all});
	await sleep(50);
	waiting.cancel();
	t.is(await within(1000, codeOf(waiting.promise)), 'ERR_ABORTED');
	running.cancel();
	t.is(await codeOf(running.promise), 'ERR_ABORTED');
});

test.serial('a job that waits for its model is taken back by cancel(), and has rejected when the next tick comes', async t => {
	const {native, model} = await openTiny('qwen2-tied');
	const running = startLong(native, model);
	const waiting = native.logits({model, ...all});
	const code = codeOf(waiting.promise);
	waiting.cancel();
	waiting.cancel();
	t.is(await Promise.race([code, nextTick('pending')]), 'ERR_ABORTED');
	running.cancel();
	t.is(await codeOf(running.promise), 'ERR_ABORTED');
});

/** Jobs that take a moment and need no model. */
const startSlice = (native: Native): Job<void> => native.sliceRows(new Float32Array(20), 2, 10, Uint32Array.of(1), new Float32Array(10));

test.serial('more jobs than there may be threads that wait for one model hold up nobody who does not need it', async t => {
	const {native, model} = await openTiny('qwen2-tied');
	const running = startLong(native, model);
	const waiting = Array.from({length: mostJobs(native) + 10}, () => native.logits({model, ...all}));
	t.is(await within(5000, startSlice(native).promise), undefined);
	for (const job of [...waiting, running]) {
		job.cancel();
	}

	t.deepEqual(new Set(await Promise.all([...waiting, running].map(async ({promise}) => codeOf(promise)))), new Set(['ERR_ABORTED']));
});

test.serial('a job that waits has the limits that held when it was called', async t => {
	const {native, model} = await openTiny('qwen2-tied');
	const running = startLong(native, model);
	native.limitMemory(1);
	const limited = codeOf(native.logits({model, ...all}).promise);
	native.limitMemory(0);
	const free = codeOf(native.logits({model, ...all}).promise);
	running.cancel();
	t.deepEqual([await limited, await free, await codeOf(running.promise)], ['ERR_MEMORY', 'resolved', 'ERR_ABORTED']);
});

test.serial('progress is told where the job was called: its AsyncLocalStorage holds, whatever is collected meanwhile', async t => {
	const {native, model} = await openTiny('qwen2-tied');
	const storage = new AsyncLocalStorage<string>();
	const seen = new Set<string | undefined>();
	const start = () => native.logits({model, ...all}, () => {
		seen.add(storage.getStore());
	}).promise;
	const jobs = [storage.run('one', start), storage.run('two', start)];
	collectGarbage();
	await Promise.all(jobs);
	t.deepEqual([...seen].sort(), ['one', 'two']);
});

test.serial('jobs at the same time give what they give alone, on one model and on two', async t => {
	const [first, second] = [await openTiny('qwen2-tied'), await openTiny('qwen3-untied-f16')];
	const starts = Object.values(jobs).flatMap(start => [() => start(first), () => start(second)]);
	const alone = [];
	for (const start of starts) {
		alone.push(await start().promise);
	}

	for (let round = 0; round < 3; round++) {
		t.deepEqual(await Promise.all(starts.map(async start => start().promise)), alone);
	}
});

test.serial('two models compared in both orders at the same time do not wait for each other forever', async t => {
	const [{native, model: a}, {model: b}] = [await openTiny('qwen2-tied'), await openTiny('qwen2-tied')];
	const many = manyTexts(20, 50);
	const compare = (left: typeof a, right: typeof a) => native.compare({a: {model: left, view: {}, texts: many}, b: {model: right, view: {}, texts: many}});
	for (let round = 0; round < 10; round++) {
		// While a first job has model b, one comparison can take model a and the other waits for b.
		const first = startLong(native, b);
		await sleep(20);
		const both = [compare(a, b), compare(b, a)];
		await sleep(20);
		first.cancel();
		const results = await within(5000, Promise.all(both.map(async ({promise}) => promise)));
		for (const job of both) {
			job.cancel();
		}

		t.is(await codeOf(first.promise), 'ERR_ABORTED');
		if (results === 'late') {
			await Promise.allSettled(both.map(async ({promise}) => promise));
			t.fail(`round ${round}: still waiting after 5 s`);
			return;
		}

		t.deepEqual(results.map(({maxDifference}) => maxDifference), [0, 0]);
	}
});

test.serial('the event loop and the file system are free while jobs run', async t => {
	const {native, model} = await openTiny('qwen2-tied');
	const {model: other} = await openTiny('qwen2-tied');
	const running = [startLong(native, model), startLong(native, other), startLong(native, model), startLong(native, other), startLong(native, other)];
	let longestMs = 0;
	let last = performance.now();
	const timer = setInterval(() => {
		longestMs = Math.max(longestMs, performance.now() - last);
		last = performance.now();
	}, 5);
	const start = performance.now();
	for (let i = 0; i < 20; i++) {
		await readFile(join(modelsFolder, 'qwen2-tied', 'config.json'));
	}

	const readMs = performance.now() - start;
	await sleep(500);
	clearInterval(timer);
	for (const job of running) {
		job.cancel();
	}

	t.deepEqual(await Promise.all(running.map(async ({promise}) => codeOf(promise))), running.map(() => 'ERR_ABORTED'));
	t.true(longestMs < 400, `the loop stood still for ${longestMs} ms`);
	t.true(readMs < 1500, `20 reads took ${readMs} ms`);
});

test.serial('fewer threads give the same bits', async t => {
	const {native, model} = await openTiny('qwen3-untied-f16', 'bf16');
	const input = {model, view: {}, texts: manyTexts(30, 40), positions: 'last', candidates: true, losses: true} as const;
	const expected = await native.scoreLayers(input).promise;
	native.limitThreads(1);
	const got = await native.scoreLayers(input).promise;
	native.limitThreads(0);
	t.deepEqual(got, expected);
});

test.serial('a promise that nobody looks at, and one whose callback is never called, end quietly', async t => {
	const {native, model} = await openTiny('qwen2-tied');
	const {promise} = native.topK({data: Float64Array.of(3, 1, 2), dtype: 'F64', rows: 1, columns: 3}, 2);
	native.logits({model, ...all}).promise.catch(() => undefined);
	t.deepEqual([...await promise], [0, 2]);
});

const write = async (native: Native, path: string, onProgress?: JobProgress): Promise<number> => {
	const file = native.mapFile(join(modelsFolder, 'qwen2-tied', 'model.safetensors'));
	const piece = {file, begin: 8, rows: 100, columns: 20, itemBytes: 4, keepRows: Uint32Array.of(1, 2, 99), keepColumns: Uint32Array.of(0, 19)};
	return native.writeFiles([{path, header: Uint8Array.of(1, 2, 3), pieces: [piece]}], onProgress).promise;
};

test.serial('files are written, with progress in bytes', async t => {
	const {native} = await openTiny('qwen2-tied');
	const path = join(await temporaryFolder(t), 'out');
	const events: number[] = [];
	t.is(await write(native, path, done => events.push(done)), 3 + (3 * 2 * 4));
	t.is(events.at(-1), 27);
	const source = await readFile(join(modelsFolder, 'qwen2-tied', 'model.safetensors'));
	const expected = [1, 2, 99].flatMap(row => [0, 19].flatMap(column => [...source.subarray(8 + (((row * 20) + column) * 4)).subarray(0, 4)]));
	t.deepEqual([...await readFile(path)], [1, 2, 3, ...expected]);
});

test.serial('a file that exists, or whose folder does not, is refused with the reason of the operating system and the path', async t => {
	const {native} = await openTiny('qwen2-tied');
	const folder = await temporaryFolder(t);
	const path = join(folder, 'out');
	await write(native, path);
	const before = await readFile(path);
	t.like(await t.throwsAsync(write(native, path)), {code: 'EEXIST', file: path});
	t.deepEqual(await readFile(path), before);
	t.like(await t.throwsAsync(write(native, join(folder, 'none', 'out'))), {code: 'ENOENT', file: join(folder, 'none', 'out')});
	t.like(t.throws(() => native.mapFile(join(folder, 'none'))), {code: 'ENOENT', file: join(folder, 'none')});
});

test.serial('a view of a mapped file is its bytes, and writing into it does not reach the file', async t => {
	const {native} = await openTiny('qwen2-tied');
	const path = join(modelsFolder, 'qwen2-tied', 'config.json');
	const bytes = await readFile(path);
	const file = native.mapFile(path);
	t.is(file.bytes, bytes.length);
	t.deepEqual(Buffer.from(file.view(0, bytes.length)), bytes);
	t.deepEqual(Buffer.from(file.view(3, 10)), bytes.subarray(3, 10));
	t.is(file.view(5, 5).byteLength, 0);
	new Uint8Array(file.view(0, 4)).fill(0);
	t.deepEqual(await readFile(path), bytes);
});
