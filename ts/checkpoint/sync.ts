import {open, readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {fileError} from '../errors.js';

/**
 * Asks the system to put a folder on the disk: the files in it, the folders in it, and its list of names; with
 * `onlyFolder` just the list of names.
 *
 * @throws `ERR_WRITE`
 */
export const syncTree = async (folder: string, {onlyFolder = false}: {readonly onlyFolder?: boolean} = {}): Promise<void> => {
	try {
		const entries = onlyFolder ? [] : await readdir(folder, {withFileTypes: true});
		for (const entry of entries) {
			const path = join(folder, entry.name);
			await (entry.isDirectory() ? syncTree(path) : syncOne(path));
		}

		await syncOne(folder);
	} catch (cause) {
		throw fileError('write', folder, cause);
	}
};

const syncOne = async (path: string): Promise<void> => {
	const handle = await open(path, 'r');
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
};
