import {getEventListeners} from 'node:events';
import test from 'ava';
import {FlabError} from '../../ts/errors.js';
import {guarded, runJob} from '../../ts/native/jobs.js';

const refusal = Object.assign(new Error('scoring the layers takes at least 1.2 GB, the limit is 500 MB'), {code: 'ERR_MEMORY'});
const expected = {instanceOf: FlabError, code: 'ERR_MEMORY', message: 'Not enough memory: scoring the layers takes at least 1.2 GB, the limit is 500 MB'} as const;

test('work that does not fit says so in the addon\'s words, with what to do about it', async t => {
	const job = () => ({promise: Promise.reject(refusal), cancel() {}});
	const errors = [await t.throwsAsync(runJob(job), expected), t.throws(() => guarded(() => {
		throw refusal;
	}), expected)];
	for (const error of errors) {
		t.is((error as FlabError).hint, 'Pass a larger maxMemory (--max-memory) if there is one, or use fewer or shorter calibration texts.');
		t.is(error?.cause, refusal);
	}
});

test('where no thread can be started it is the limit of processes that is named, not that of memory', async t => {
	const cause = Object.assign(new Error('No thread could be started: Resource temporarily unavailable'), {code: 'EAGAIN'});
	const error = await t.throwsAsync(runJob(() => {
		throw cause;
	}), {instanceOf: FlabError, code: 'ERR_MEMORY', message: cause.message});
	t.regex((error as FlabError).hint!, /ulimit -u.*pids\.max/);
	t.notRegex((error as FlabError).hint!, /maxMemory/);
});

test('a signal cancels all its jobs through one listener, which goes with the last of them', async t => {
	const controller = new AbortController();
	const {signal} = controller;
	const listeners = () => getEventListeners(signal, 'abort').length;
	const start = () => {
		const {promise, resolve, reject} = deferred();
		return {resolve, job: {promise, cancel: () => reject(Object.assign(new Error('cancelled'), {code: 'ERR_ABORTED'}))}};
	};

	const [first, ...others] = Array.from({length: 100}, start);
	const ended = runJob(() => first!.job, {signal});
	const cancelled = others.map(async ({job}) => runJob(() => job, {signal}));
	t.is(listeners(), 1);
	first!.resolve();
	await ended;
	t.is(listeners(), 1);
	controller.abort();
	for (const promise of cancelled) {
		await t.throwsAsync(promise, {code: 'ERR_ABORTED'});
	}

	t.is(listeners(), 0);
});

const deferred = () => {
	let settle: {resolve: () => void; reject: (error: unknown) => void};
	const promise = new Promise<void>((resolve, reject) => {
		settle = {resolve, reject};
	});
	return {promise, ...settle!};
};
