import {lstat, readdir, rename, rm} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';

/**
 * Clears what processes that no longer live left beside an output's path: unfinished outputs are removed; an output that
 * was moved aside to be replaced is put back if nothing took its place, and removed otherwise. What can't be cleared stays.
 */
export const clearStale = async (path: string): Promise<void> => {
	const parent = dirname(path);
	const names = await readdir(parent).catch(() => []);
	for (const name of names) {
		const kind = staleKind(name, basename(path));
		const leftover = join(parent, name);
		if (kind === 'old' && !(await exists(path))) {
			await rename(leftover, path).catch(() => undefined);
		} else if (kind !== undefined) {
			await rm(leftover, {recursive: true, force: true}).catch(() => undefined);
		}
	}
};

const staleKind = (name: string, output: string): 'tmp' | 'old' | undefined => {
	const start = `.${output}.`;
	const match = name.startsWith(start) ? /^(tmp|old)-(\d{1,10})-[\da-f]{8}$/.exec(name.slice(start.length)) : null;
	return match === null || isAlive(Number(match[2])) ? undefined : (match[1] as 'tmp' | 'old');
};

const isAlive = (pid: number): boolean => {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		// EPERM: it lives, and belongs to somebody else.
		return (error as NodeJS.ErrnoException).code !== 'ESRCH';
	}
};

const exists = async (path: string): Promise<boolean> => lstat(path).then(() => true, () => false);
