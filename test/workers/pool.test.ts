import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import test from 'ava';
import type {ExecutionContext} from 'ava';
import {createPool} from '../../ts/workers/pool.js';
import type {PoolOptions, WorkerPool} from '../../ts/workers/pool.js';
import {runChild, within} from '../binding/support.js';
import {temporaryFolder} from '../fixtures/pico.js';

const address = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

const program = `
	import {threadId} from 'node:worker_threads';
	import {setTimeout} from 'node:timers/promises';
	import {FlabError} from ${address('../../ts/errors.js')};
	import {serve} from ${address('../../ts/workers/serve.js')};
	serve(data => async (request, tell) => {
		if (request.wait) await setTimeout(request.wait);
		if (request.spin) for (;;);
		if (request.exit) process.exit(3);
		if (request.crash) setImmediate(() => { throw new Error('crashed'); });
		if (request.crash) await setTimeout(10_000);
		if (request.fail === 'flab') throw new FlabError('ERR_BAD_DATA', 'a.jsonl, record 3: no', {file: 'a.jsonl', hint: 'Mend it.', cause: new Error('underneath')});
		if (request.fail) throw new RangeError(request.fail);
		tell(1);
		tell(2);
		return {data, threadId, value: request.value};
	});
`;

type Request = {readonly value?: number; readonly wait?: number; readonly fail?: string; readonly spin?: boolean; readonly exit?: boolean; readonly crash?: boolean};
type Answer = {readonly data: unknown; readonly threadId: number; readonly value: number};

const poolOf = async (t: ExecutionContext, options: Partial<PoolOptions> = {}): Promise<WorkerPool<Request, Answer>> => {
	const file = join(await temporaryFolder(t), 'worker.mjs');
	await writeFile(file, program);
	const pool = createPool<Request, Answer>({module: pathToFileURL(file), threads: 2, data: {some: 'data'}, ...options});
	t.teardown(async () => pool.close());
	return pool;
};

test('every request is answered, on as many threads as there may be', async t => {
	const pool = await poolOf(t);
	const news: number[] = [];
	const answers = await Promise.all(Array.from({length: 8}, async (_, value) => pool.run({value, wait: 20}, told => news.push(told))));
	t.deepEqual(answers.map(({value}) => value), [0, 1, 2, 3, 4, 5, 6, 7]);
	t.deepEqual(answers[0]!.data, {some: 'data'});
	t.is(new Set(answers.map(({threadId}) => threadId)).size, 2);
	t.is(news.length, 16);
});

test('a request that fails says so as if it were of this thread, and the pool goes on', async t => {
	const pool = await poolOf(t, {threads: 1});
	const error = await t.throwsAsync(pool.run({fail: 'flab'}), {name: 'FlabError', code: 'ERR_BAD_DATA', message: 'a.jsonl, record 3: no'});
	t.like(error, {file: 'a.jsonl', hint: 'Mend it.'});
	t.is((error?.cause as Error).message, 'underneath');
	await t.throwsAsync(pool.run({fail: 'too far'}), {instanceOf: RangeError, message: 'too far'});
	t.is((await pool.run({value: 5})).value, 5);
});

for (const [what, request, message] of [['ends', {exit: true}, /A worker thread ended with code 3/], ['crashes', {crash: true}, /A worker thread failed: crashed/]] as const) {
	test(`a thread that ${what} fails its request and all that wait`, async t => {
		const pool = await poolOf(t, {threads: 1});
		const outcomes = await Promise.allSettled([pool.run(request), pool.run({value: 1})]);
		for (const outcome of outcomes) {
			t.like(outcome, {status: 'rejected', reason: {code: 'ERR_INTERNAL'}});
			t.regex((outcome as PromiseRejectedResult).reason.message, message);
		}

		await t.throwsAsync(pool.run({}), {code: 'ERR_INTERNAL'});
	});
}

test('an abort ends threads in the middle of a loop', async t => {
	const controller = new AbortController();
	const pool = await poolOf(t, {signal: controller.signal});
	await pool.run({});
	const running = [pool.run({spin: true}), pool.run({spin: true}), pool.run({})];
	setTimeout(() => {
		controller.abort();
	}, 50);
	const outcomes = await within(1000, Promise.allSettled(running));
	t.deepEqual((outcomes as Array<PromiseRejectedResult>).map(({reason}) => reason.code), ['ERR_ABORTED', 'ERR_ABORTED', 'ERR_ABORTED']);
	await t.throwsAsync(pool.run({}), {code: 'ERR_ABORTED'});
});

test('closing ends the threads and rejects what is not answered', async t => {
	const pool = await poolOf(t);
	const running = t.throwsAsync(pool.run({spin: true}), {code: 'ERR_INTERNAL'});
	await pool.close();
	await running;
});

test('threads without work do not keep a process alive, whatever flags it runs with', async t => {
	const file = join(await temporaryFolder(t), 'worker.mjs');
	await writeFile(file, program);
	const {code, out, errors} = await runChild(`
		const {createPool} = await import(${address('../../ts/workers/pool.js')});
		const pool = createPool({module: new URL(${JSON.stringify(pathToFileURL(file).href)}), threads: 1});
		console.log((await pool.run({value: 9})).value);
	`);
	t.deepEqual([code, out, errors], [0, '9', '']);
});
