import type {Native} from './contract.js';

/** What a run may take: threads of the pool, and memory that the process stays below, in bytes. Without a number, what the machine grants. */
export type Limits = {readonly threads?: number; readonly maxMemory?: number};

/** Calls the addon so that the job which it starts keeps to these limits, whatever limits other jobs have. */
export const withLimits = <Result>(native: Native, {threads = 0, maxMemory = 0}: Limits, call: () => Result): Result => {
	native.limitThreads(threads);
	native.limitMemory(maxMemory);
	try {
		return call();
	} finally {
		native.limitThreads(0);
		native.limitMemory(0);
	}
};

/** The addon with every call under these limits. */
export const limitedNative = (native: Native, limits: Limits): Native => {
	const limited = Object.entries(native).map(([name, member]) => [
		name,
		typeof member === 'function' ? (...inputs: unknown[]) => withLimits(native, limits, () => (member as (...inputs: unknown[]) => unknown)(...inputs)) : member,
	]);
	return Object.fromEntries(limited) as Native;
};
