import {createPool} from '../workers/pool.js';

/** A core does about 1.5 GB a second; no more threads than read a disk's fill. */
const maxThreads = 4;

/**
 * SHA-256 of each file in hexadecimal, in the order of `paths`; each file on a thread of its own.
 *
 * @throws ERR_READ, ERR_ABORTED
 */
export const hashFiles = async (paths: readonly string[], {threads, signal, onBytes}: {readonly threads: number; readonly signal?: AbortSignal; readonly onBytes?: (bytes: number) => void}): Promise<string[]> => {
	const pool = createPool<string, string>({module: new URL('hashworker.js', import.meta.url), threads: Math.min(threads, maxThreads), signal});
	try {
		return await Promise.all(paths.map(async path => pool.run(path, onBytes)));
	} finally {
		await pool.close();
	}
};
