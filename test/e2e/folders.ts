import {createHash} from 'node:crypto';
import {readFile, readdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import type {Place} from './checkpoints.js';

/** SHA-256 of every file below a folder, by its path; folders are there with a "/". Hidden ones too. */
export const contents = async (folder: string): Promise<Readonly<Record<string, string>>> => {
	const found: Record<string, string> = {};
	for (const name of (await readdir(folder, {recursive: true})).sort()) {
		const path = join(folder, name);
		if ((await stat(path)).isDirectory()) {
			found[`${name}/`] = '';
		} else {
			found[name] = createHash('sha256').update(await readFile(path)).digest('hex');
		}
	}

	return found;
};

/** What lies beside the model and the texts: outputs, and whatever should not be there. */
export const beside = async ({root}: Place): Promise<readonly string[]> =>
	(await readdir(root)).filter(name => !['model', 'corpus.jsonl', 'calibration.jsonl'].includes(name)).sort();
