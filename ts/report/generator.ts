import {createRequire} from 'node:module';

/** Name and version of this package, as plans and written checkpoints name their maker. */
export const generator = (): {readonly name: 'flab-pruner'; readonly version: string} => {
	// By its own name, so that the compiled file may lie at any depth.
	const {version} = createRequire(import.meta.url)('flab-pruner/package.json') as {readonly version: string};
	return {name: 'flab-pruner', version};
};
