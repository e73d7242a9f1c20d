import {Worker} from 'node:worker_threads';
import {FlabError, abortError, throwIfAborted} from '../errors.js';
import {unpackError} from './messages.js';
import type {FromWorker} from './messages.js';

/** Worker threads of one module, each with one request at a time. */
export type WorkerPool<Request, Answer> = {
	/** The answer to a request, once a thread was free for it. `onNews` gets what the thread reports meanwhile. */
	readonly run: (request: Request, onNews?: (news: number) => void) => Promise<Answer>;
	/** Ends all threads, whatever they do; what was asked and is not answered rejects. */
	readonly close: () => Promise<void>;
};

export type PoolOptions = {
	/** The module that the threads run: it calls `serve`. */
	readonly module: URL;
	/** Threads at most; they are started as requests come. */
	readonly threads: number;
	/** What every thread is given at its start. */
	readonly data?: unknown;
	/** Ends the threads when it fires. */
	readonly signal?: AbortSignal;
};

type Task = {
	readonly request: unknown;
	readonly onNews?: (news: number) => void;
	readonly resolve: (answer: any) => void;
	readonly reject: (error: unknown) => void;
};

/** A pool without threads yet. Whoever makes it closes it. */
export const createPool = <Request, Answer>({module, threads, data, signal}: PoolOptions): WorkerPool<Request, Answer> => {
	const workers = new Map<Worker, Task | undefined>();
	const waiting: Task[] = [];
	let ended: {readonly error: unknown} | undefined;

	const end = async (error: unknown): Promise<void> => {
		ended ??= {error};
		signal?.removeEventListener('abort', onAbort);
		for (const task of [...workers.values(), ...waiting.splice(0)]) {
			task?.reject(ended.error);
		}

		const ending = [...workers.keys()].map(async worker => worker.terminate());
		workers.clear();
		await Promise.all(ending);
	};

	const onAbort = (): void => {
		void end(abortError(signal));
	};

	const next = (worker: Worker): void => {
		const task = waiting.shift();
		workers.set(worker, task);
		// A thread without work must not keep the process alive.
		worker[task ? 'ref' : 'unref']();
		if (task) {
			worker.postMessage(task.request);
		}
	};

	const start = (): void => {
		// Flags of this process may be for its main script only (--input-type).
		const worker = new Worker(module, {workerData: data, execArgv: []});
		worker.on('message', ({news, answer, error}: FromWorker) => {
			const task = workers.get(worker);
			if (news !== undefined) {
				task?.onNews?.(news);
			} else if (task) {
				next(worker);
				error === undefined ? task.resolve(answer) : task.reject(unpackError(error));
			}
		});
		worker.on('error', cause => {
			void end(threadError(cause));
		});
		worker.on('exit', code => {
			if (workers.has(worker)) {
				void end(new FlabError('ERR_INTERNAL', `A worker thread ended with code ${code} before its work was done`));
			}
		});
		next(worker);
	};

	signal?.addEventListener('abort', onAbort, {once: true});
	return {
		run: async (request, onNews) => new Promise<Answer>((resolve, reject) => {
			throwIfAborted(signal);
			if (ended) {
				throw ended.error;
			}

			waiting.push({request, onNews, resolve, reject});
			const idle = [...workers].find(([, task]) => task === undefined)?.[0];
			if (idle) {
				next(idle);
			} else if (workers.size < threads) {
				start();
			}
		}),
		close: async () => end(new FlabError('ERR_INTERNAL', 'The worker threads were ended before their work was done')),
	};
};

const threadError = (cause: unknown): FlabError => {
	const {code, message} = cause as NodeJS.ErrnoException;
	return code === 'ERR_WORKER_OUT_OF_MEMORY' || code === 'ERR_WORKER_INIT_FAILED'
		? new FlabError('ERR_MEMORY', `A worker thread did not get the memory that it needs: ${message}`, {cause, hint: 'Use fewer threads (--threads), or close other programs.'})
		: new FlabError('ERR_INTERNAL', `A worker thread failed: ${message}`, {cause});
};
