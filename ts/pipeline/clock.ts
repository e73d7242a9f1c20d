import type {Timing} from '../report/report.js';

/** Measures the parts of a run. */
export type Clock = {
	readonly timings: readonly Timing[];
	/** Runs a part and notes how long it took, in addition to what is noted of its phase. */
	readonly time: <Result>(phase: string, work: () => Promise<Result>) => Promise<Result>;
};

/** A clock that has measured nothing yet. */
export const createClock = (): Clock => {
	const timings: Array<{readonly phase: string; durationMs: number}> = [];
	return {
		timings,
		time: async (phase, work) => {
			const begin = performance.now();
			try {
				return await work();
			} finally {
				const noted = timings.find(timing => timing.phase === phase) ?? {phase, durationMs: 0};
				noted.durationMs += Math.round(performance.now() - begin);
				if (!timings.includes(noted)) {
					timings.push(noted);
				}
			}
		},
	};
};

/** Largest resident memory of the process so far, in bytes; mapped weights count as far as they were in memory. */
export const peakBytes = (): number => process.resourceUsage().maxRSS * 1024;
