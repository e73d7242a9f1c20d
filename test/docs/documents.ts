import {readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {packageRoot} from '../../ts/native/root.js';
import {readBlocks} from './blocks.js';
import type {Block} from './blocks.js';

/** What people read, by paths from the package's folder. */
export const documents = async (): Promise<readonly string[]> => {
	const inFolders = await Promise.all(['docs', 'examples'].map(async folder => {
		const names = await readdir(join(packageRoot, folder), {recursive: true});
		return names.filter(name => name.endsWith('.md')).map(name => join(folder, name));
	}));
	return ['README.md', 'HACKING.md', ...inFolders.flat().sort()];
};

/** The code blocks of a document. */
export const documentBlocks = async (name: string): Promise<readonly Block[]> => readBlocks(join(packageRoot, name), name);
