import {createRequire} from 'node:module';
import {refuseBundle} from '../native/failure.js';
import type * as schemas from './optionSchemas.js';

/** What every kernel takes. */
export type KernelOptions = {
	readonly signal?: AbortSignal;
	/** Threads that the call may take. Without it: as many as the machine grants. */
	readonly threads?: number;
};

let loaded: typeof schemas | undefined;

/** The checks of what kernels take, loaded on first use as that takes longer than most kernels. */
export const kernelChecks = (): typeof schemas => {
	refuseBundle();
	loaded ??= createRequire(import.meta.url)('./optionSchemas.js') as typeof schemas;
	return loaded;
};
