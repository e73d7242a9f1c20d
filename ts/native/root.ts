import {readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

// A bundler's CommonJS output has no import.meta.url.
const address = import.meta.url as string | undefined;

/** Where this code runs from: compiled files lie at different depths in the package and in the tests' build. */
export const codeFolder: string = address?.startsWith('file:') ? dirname(fileURLToPath(address)) : process.cwd();

const nameIn = (folder: string): unknown => {
	try {
		return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {readonly name?: unknown}).name;
	} catch {
		return undefined;
	}
};

/** Folder of the package, or '' where there is none around this code: a bundler put it into a file of its own. */
export const packageRoot: string = (() => {
	for (let folder = codeFolder; ; folder = dirname(folder)) {
		if (nameIn(folder) === 'flab-pruner') {
			return folder;
		}

		if (folder === dirname(folder)) {
			return '';
		}
	}
})();
