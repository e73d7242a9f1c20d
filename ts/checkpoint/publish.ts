// The life of an output folder: written beside its place under a temporary name, and renamed when it is complete. Whoever
// looks at the output's path sees what was there before, or the whole new checkpoint, and never a part.

import {randomBytes} from 'node:crypto';
import {mkdir, rename, rm} from 'node:fs/promises';
import {basename, dirname, join, resolve} from 'node:path';
import {fileError, FlabError} from '../errors.js';
import {isThere, refuseExisting} from './existing.js';
import {makeFolders, removeFolders} from './folders.js';
import {protectSources, type Sources} from './protect.js';
import {clearStale} from './stale.js';
import {syncTree} from './sync.js';

/** What an output may and may not replace. */
export type OutputOptions = Sources & {
	/** Replace what is at the output's path, if it is an empty folder or a checkpoint (see `refuseExisting`). Default false. */
	readonly force?: boolean;
};

/** An output that is being written. Exactly one of `publish` and `discard` ends it; `discard` may be called at any time. */
export type PendingOutput = {
	/** Where it will be. Absolute. */
	readonly path: string;
	/** The temporary folder to write into: exists and is empty. Absolute. */
	readonly folder: string;
	/**
	 * Syncs everything to disk and puts the folder in its place. What it replaces is moved aside first and removed only when
	 * the new one is there; if the new one can't be put there, the old one is put back.
	 *
	 * @throws `ERR_WRITE`; `ERR_OUTPUT_EXISTS` if something appeared at the path meanwhile
	 */
	publish(): Promise<void>;
	/** Removes the temporary folder and the parent folders made for it. Does nothing after `publish`, or a second time. */
	discard(): Promise<void>;
};

/**
 * Makes the temporary folder `.NAME.tmp-PID-RANDOM` beside `out`; missing parents are created. Leftovers of processes that
 * died while they wrote the same output are cleared.
 *
 * @throws `ERR_OUTPUT_EXISTS` if something is at `out` (even an empty folder) and `force` is not given, or may not replace it;
 * `ERR_BAD_ARGUMENT` if `out` is, holds or lies in the model, holds another input or the current directory; `ERR_WRITE` if the
 * parent can't be written to
 */
export const prepareOutput = async (out: string, {force = false, ...sources}: OutputOptions): Promise<PendingOutput> => {
	const path = resolve(out);
	await protectSources(path, sources);
	await clearStale(path);
	await refuseExisting(path, force);
	const created: string[] = [];
	const output = pendingOutput(path, force, created);
	try {
		await makeFolders(dirname(path), created);
		await mkdir(output.folder);
	} catch (cause) {
		await output.discard();
		throw fileError('write', path, cause);
	}

	return output;
};

const pendingOutput = (path: string, force: boolean, created: readonly string[]): PendingOutput => {
	const folder = siblingName(path, 'tmp');
	let isOpen = true;
	return {
		path,
		folder,
		async publish() {
			if (!isOpen) {
				throw new FlabError('ERR_INTERNAL', `${path}: the output was published or discarded before`);
			}

			await syncTree(folder);
			await refuseExisting(path, force);
			await replace(folder, path, () => {
				isOpen = false;
			});
		},
		async discard() {
			if (!isOpen) {
				return;
			}

			isOpen = false;
			await rm(folder, {recursive: true, force: true}).catch(cause => {
				throw fileError('write', folder, cause);
			});
			await removeFolders(created);
		},
	};
};

/** `.NAME.KIND-PID-RANDOM` beside `path`; `clearStale` knows this form. */
const siblingName = (path: string, kind: 'tmp' | 'old'): string =>
	join(dirname(path), `.${basename(path)}.${kind}-${process.pid}-${randomBytes(4).toString('hex')}`);

const replace = async (folder: string, path: string, onPlaced: () => void): Promise<void> => {
	const aside = await isThere(path) ? siblingName(path, 'old') : undefined;
	try {
		if (aside !== undefined) {
			await rename(path, aside);
		}

		await rename(folder, path).catch(async cause => {
			if (aside !== undefined) {
				await rename(aside, path);
			}

			throw cause;
		});
		onPlaced();
		await syncTree(dirname(path), {onlyFolder: true});
	} catch (cause) {
		throw fileError('write', path, cause);
	}

	if (aside !== undefined) {
		await rm(aside, {recursive: true, force: true}).catch(cause => {
			throw new FlabError('ERR_WRITE', `${aside}: the new output is in place, but the one that it replaced could not be removed: ${(cause as Error).message}`, {file: aside, hint: 'Remove it by hand.', cause});
		});
	}
};
