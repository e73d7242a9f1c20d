import {existsSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

/** Folder of package.json: compiled files lie at different depths in the package and in the tests' build. */
export const packageRoot = (() => {
	let folder = dirname(fileURLToPath(import.meta.url));
	while (!existsSync(join(folder, 'package.json'))) {
		folder = dirname(folder);
	}

	return folder;
})();
