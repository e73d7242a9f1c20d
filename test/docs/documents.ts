import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {packageRoot} from '../../ts/native/root.js';
import {readBlocks} from './blocks.js';
import type {Block} from './blocks.js';

/** What users read, by paths from the package's folder. */
export const documents = (): readonly string[] => {
	const inFolders = ['docs', 'examples'].flatMap(folder => readdirSync(join(packageRoot, folder), {recursive: true, encoding: 'utf8'})
		.filter(name => name.endsWith('.md'))
		.map(name => join(folder, name)));
	return ['README.md', ...inFolders.sort()];
};

/** The code blocks of a document. */
export const documentBlocks = async (name: string): Promise<readonly Block[]> => readBlocks(join(packageRoot, name), name);
