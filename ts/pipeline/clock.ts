import type {Timing} from '../report/report.js';

/** Measures the parts of a run. */
export type Clock = {
	readonly timings: Timing[];
	/** Runs a part and notes how long it took. */
	readonly time: <Result>(phase: string, work: () => Promise<Result>) => Promise<Result>;
};

/** A clock that has measured nothing yet. */
export const createClock = (): Clock => {
	const timings: Timing[] = [];
	return {
		timings,
		time: async (phase, work) => {
			const begin = performance.now();
			try {
				return await work();
			} finally {
				timings.push({phase, durationMs: Math.round(performance.now() - begin)});
			}
		},
	};
};

/** Largest resident memory of the process so far, in bytes; mapped weights count as far as they were in memory. */
export const peakBytes = (): number => process.resourceUsage().maxRSS * 1024;
