// What the tests of the addon share: a job that lasts, and programs that run in a process of their own.

import {spawn} from 'node:child_process';
import {setTimeout as sleep} from 'node:timers/promises';
import type {Job, JobProgress, ModelHandle, Native, PackedTexts} from '../../ts/native/contract.js';

/** `count` texts of `length` tokens each, of a vocabulary of 90. */
export const manyTexts = (count: number, length: number): PackedTexts => ({
	ids: Int32Array.from({length: count * length}, (_, i) => (i * 7919) % 90),
	offsets: Int32Array.from({length: count + 1}, (_, i) => i * length),
});

const longTexts = manyTexts(6000, 100);

/** A job on a tiny model that takes several seconds if nobody stops it. */
export const startLong = (native: Native, model: ModelHandle, onProgress?: JobProgress): Job<unknown> =>
	native.scoreLayers({model, view: {}, texts: longTexts, positions: 'all', candidates: true, losses: true}, onProgress);

/** The code of the error that a promise rejects with. */
export const codeOf = async (promise: Promise<unknown>): Promise<unknown> =>
	promise.then(() => 'resolved', (error: unknown) => (error as {code?: string}).code);

/** Jobs that run at a time, at most: native/base/job_threads.cc. */
export const mostJobs = ({threads}: Native): number => Math.max(16, 4 * threads);

/** Resolves once every promise that is settled now has called back. */
export const nextTick = async <Value>(value: Value): Promise<Value> => new Promise(resolve => {
	setImmediate(resolve, value);
});

/** Resolves with what the promise does, or with 'late'. */
export const within = async <Value>(durationMs: number, promise: Promise<Value>): Promise<Value | 'late'> => {
	const patience = new AbortController();
	const late = sleep(durationMs, 'late' as const, {signal: patience.signal}).catch(() => 'late' as const);
	try {
		return await Promise.race([promise, late]);
	} finally {
		patience.abort();
	}
};

export type Ended = {readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly out: string; readonly errors: string};

/**
 * Runs an ES module given as text in a Node of its own. It sees `reference` and `support` (the modules of the tests with
 * `openTiny`, `startLong`, ...) and `loadUrl`, the address of ts/native/load.js.
 */
export const runChild = async (program: string, {flags = [], environment = {}}: {readonly flags?: readonly string[]; readonly environment?: NodeJS.ProcessEnv} = {}): Promise<Ended> => {
	const address = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
	const source = `
		const loadUrl = ${address('../../ts/native/load.js')};
		const referenceUrl = ${address('../native/reference.js')};
		const supportUrl = ${address('support.js')};
		const reference = await import(referenceUrl);
		const support = await import(supportUrl);
		${program}`;
	const child = spawn(process.execPath, [...flags, '--input-type=module', '--eval', source], {env: {...process.env, ...environment}, stdio: ['ignore', 'pipe', 'pipe']});
	let out = '';
	let errors = '';
	child.stdout.on('data', chunk => {
		out += String(chunk);
	});
	child.stderr.on('data', chunk => {
		errors += String(chunk);
	});
	return new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', (code, signal) => {
			resolve({code, signal, out: out.trim(), errors});
		});
	});
};
