import {stat} from 'node:fs/promises';
import {basename, join} from 'node:path';
import {setTimeout} from 'node:timers/promises';
import {hashFiles} from '../checkpoint/hash.js';
import {fileError, throwIfAborted} from '../errors.js';
import type {PlanSource} from '../plan/schema.js';
import type {Control} from '../progress.js';
import {threadsFor} from './source.js';
import type {Source} from './source.js';

/** The files that a plan depends on, being hashed while other work goes on. */
export type SourceHashes = {
	/** Bytes of each file, known from the start. */
	readonly sizes: Readonly<Record<string, number>>;
	/** Waits for the hashes. Only now are there events of progress: until then there are those of the other work. */
	readonly wait: () => Promise<PlanSource['files']>;
};

/**
 * Starts hashing the source's files and runs `work` beside it. The first failure of either ends both and is the one that is thrown;
 * when this returns or throws, nothing goes on.
 */
export const withHashes = async <Result>(
	source: Source,
	threads: number | undefined,
	{signal, onProgress}: Control,
	work: (hashes: SourceHashes, control: Control) => Promise<Result>,
): Promise<Result> => {
	const files = await filesOf(source);
	const total = files.reduce((sum, {bytes}) => sum + bytes, 0);
	const stop = new AbortController();
	// Not AbortSignal.any: in Node 20 what it returns can be collected before it fires.
	const either = stop.signal;
	const forward = (): void => {
		stop.abort(signal!.reason);
	};

	signal?.addEventListener('abort', forward, {once: true});
	if (signal?.aborted) {
		forward();
	}

	let done = 0;
	let state: 'running' | 'done' | {readonly error: unknown} = 'running';
	const hashing = hashFiles(files.map(({path}) => path), {
		threads: threadsFor(source, threads),
		signal: either,
		onBytes(bytes) {
			done += bytes;
		},
	});
	const ended = hashing.then(() => {
		state = 'done';
	}, (error: unknown) => {
		state = {error};
		stop.abort(error);
	});

	const wait = async (): Promise<PlanSource['files']> => {
		for (let last = false; !last;) {
			throwIfAborted(either);
			last = state !== 'running';
			onProgress?.({phase: 'hash', done, total, unit: 'bytes'});
			await Promise.race([ended, setTimeout(progressMs, undefined, {ref: false})]);
		}

		const sums = await hashing;
		throwIfAborted(either);
		return Object.fromEntries(files.map(({name, bytes}, place) => [name, {bytes, sha256: sums[place]!}]));
	};

	try {
		return await work({sizes: Object.fromEntries(files.map(({name, bytes}) => [name, bytes])), wait}, {signal: either, onProgress});
	} catch (error) {
		throw typeof state === 'object' ? (state as {readonly error: unknown}).error : error;
	} finally {
		signal?.removeEventListener('abort', forward);
		stop.abort();
		await ended;
	}
};

const progressMs = 50;

const filesOf = async ({checkpoint: {dir, shards, sideFiles}}: Source): Promise<ReadonlyArray<{readonly name: string; readonly path: string; readonly bytes: number}>> => {
	const names = ['config.json', ...sideFiles.tokenizer.filter(name => name === 'tokenizer.json'), ...shards.map(({path}) => basename(path))];
	const files = [];
	// One after the other: of several that are missing it is always the first that is named.
	for (const name of names) {
		const path = join(dir, name);
		const {size} = await stat(path).catch((cause: unknown) => {
			throw fileError('read', path, cause);
		});
		files.push({name, path, bytes: size});
	}

	return files;
};
