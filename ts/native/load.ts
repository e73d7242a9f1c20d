import {createRequire} from 'node:module';
import {FlabError} from '../errors.js';
import type {Native} from './contract.js';
import {packageRoot} from './root.js';

let loaded: Native | undefined;

/**
 * The native addon: the package's prebuilt binary, or the one that was built from source here. Loaded on first use.
 *
 * @throws FlabError `ERR_NATIVE_LOAD` if there is none or it does not load.
 */
export const loadNative = (): Native => {
	loaded ??= load();
	return loaded;
};

const load = (): Native => {
	const require = createRequire(import.meta.url);
	try {
		return (require('node-gyp-build') as (root: string) => Native)(packageRoot);
	} catch (cause) {
		if ((cause as {code?: string}).code === 'ERR_BAD_ARGUMENT') {
			throw new FlabError('ERR_BAD_ARGUMENT', (cause as Error).message, {cause});
		}

		throw new FlabError('ERR_NATIVE_LOAD', `The native addon for ${process.platform}-${process.arch} could not be loaded: ${(cause as Error).message}`, {
			hint: 'Install g++ and cmake, then run `npm rebuild flab-pruner` (in a checkout: `npm run build`).',
			cause,
		});
	}
};
