import {FlabError, abortError, errorCodes, fileError, throwIfAborted} from '../errors.js';
import type {FlabErrorCode} from '../errors.js';
import type {Job, JobProgress, MappedFile} from './contract.js';
import {deviceHints} from './deviceHints.js';
import {withLimits} from './limits.js';
import {loadNative} from './load.js';
import {cancelWith} from './signals.js';

/** How a job reports and is stopped, and how many threads it may take. */
export type JobControl = {
	readonly signal?: AbortSignal;
	readonly onProgress?: JobProgress;
	readonly threads?: number;
};

/** Runs a native job to its end: an abort of the signal cancels it, its errors become FlabErrors. */
export const runJob = async <Result>(start: (onProgress?: JobProgress) => Job<Result>, {signal, onProgress, threads}: JobControl = {}): Promise<Result> => {
	throwIfAborted(signal);
	const job = guarded(() => threads === undefined ? start(onProgress) : withLimits(loadNative(), {threads}, () => start(onProgress)));
	const forget = signal && cancelWith(signal, job);
	try {
		return await job.promise;
	} catch (error) {
		throw asFlabError(error, signal);
	} finally {
		forget?.();
	}
};

/** Calls the addon synchronously; its errors become FlabErrors. */
export const guarded = <Result>(call: () => Result): Result => {
	try {
		return call();
	} catch (error) {
		throw asFlabError(error);
	}
};

/** Maps a file. @throws FlabError `ERR_READ` */
export const mapFile = (path: string): MappedFile => {
	const native = loadNative();
	try {
		return native.mapFile(path);
	} catch (cause) {
		throw fileError('read', path, cause);
	}
};

const asFlabError = (error: unknown, signal?: AbortSignal): unknown => {
	if (error instanceof FlabError) {
		return error;
	}

	const {code, message, file} = error as {code?: string; message?: string; file?: string};
	if (code === 'ERR_ABORTED') {
		return abortError(signal);
	}

	if (code === 'ERR_MEMORY') {
		return new FlabError('ERR_MEMORY', `Not enough memory: ${message}`, {hint: 'Pass a larger maxMemory (--max-memory) if there is one, or use fewer or shorter calibration texts.', cause: error});
	}

	if (code === 'EAGAIN') {
		return new FlabError('ERR_MEMORY', message ?? '', {hint: noThreadHint, cause: error});
	}

	if ((errorCodes as readonly string[]).includes(code ?? '')) {
		return new FlabError(code as FlabErrorCode, message ?? '', {file, hint: deviceHints[code!], cause: error});
	}

	return file === undefined ? error : fileError('write', file, error);
};

const noThreadHint = 'The system lets this process have no more threads: raise the limit of processes (ulimit -u, or pids.max of the container or job) or of address space (ulimit -v), or run less beside it.';
