import type {Job} from './contract.js';

type Watch = {readonly jobs: Set<Job<unknown>>; readonly cancelAll: () => void};

const watches = new WeakMap<AbortSignal, Watch>();

/**
 * Cancels the job when the signal fires, until the function that it returns is called. All jobs of a signal share one listener: Node
 * warns of a leak where there are many.
 */
export const cancelWith = (signal: AbortSignal, job: Job<unknown>): () => void => {
	const {jobs, cancelAll} = watches.get(signal) ?? watch(signal);
	jobs.add(job);
	return () => {
		jobs.delete(job);
		if (jobs.size === 0) {
			signal.removeEventListener('abort', cancelAll);
			watches.delete(signal);
		}
	};
};

const watch = (signal: AbortSignal): Watch => {
	const jobs = new Set<Job<unknown>>();
	const cancelAll = () => {
		for (const job of jobs) {
			job.cancel();
		}
	};

	signal.addEventListener('abort', cancelAll);
	watches.set(signal, {jobs, cancelAll});
	return {jobs, cancelAll};
};
