import {mkdir, rmdir, stat} from 'node:fs/promises';
import {dirname} from 'node:path';

/**
 * Makes a folder and its parents, and notes each that it made. Not mkdir's own `recursive`: that never returns where a
 * folder can't be made and the system says ENOENT, as in /proc.
 */
export const makeFolders = async (folder: string, created: string[]): Promise<void> => {
	if (await stat(folder).then(() => true, (cause: NodeJS.ErrnoException) => cause.code !== 'ENOENT')) {
		return;
	}

	if (dirname(folder) !== folder) {
		await makeFolders(dirname(folder), created);
	}

	try {
		await mkdir(folder);
		created.push(folder);
	} catch (cause) {
		// Another process may have been faster.
		if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') {
			throw cause;
		}
	}
};

/** Removes folders, the last one first, as far as they are empty. */
export const removeFolders = async (folders: readonly string[]): Promise<void> => {
	for (const folder of [...folders].reverse()) {
		await rmdir(folder).catch(() => undefined);
	}
};
