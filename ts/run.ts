import {withCaller} from './caller.js';
import {refuseBundle} from './native/failure.js';
import type {Control, OnProgress, ProgressEvent, Run} from './progress.js';

/** Starts `work` and gives its promise, which can also be iterated for its progress. */
export const startRun = <Result>(work: (control: Control) => Promise<Result>, control: Control = {}): Run<Result> => {
	const listeners = new Set<OnProgress>();
	const forward: OnProgress = event => {
		control.onProgress?.(event);
		for (const listener of listeners) {
			listener(event);
		}
	};

	const promise = withCaller(async () => {
		refuseBundle();
		const {checkControl} = await import('./progress.js');
		checkControl(control);
		return work({...control, onProgress: forward});
	})();
	return Object.assign(promise, {[Symbol.asyncIterator]: () => eventsOf(promise, listeners)});
};

const eventsOf = (run: Promise<unknown>, listeners: Set<OnProgress>): AsyncGenerator<ProgressEvent, void> => {
	const waiting: ProgressEvent[] = [];
	let ended = false;
	let wake: () => void = () => undefined;
	const listener: OnProgress = event => {
		const older = waiting.findIndex(({phase, detail}) => phase === event.phase && detail === event.detail);
		if (older !== -1) {
			waiting.splice(older, 1);
		}

		waiting.push(event);
		wake();
	};

	const end = (): void => {
		ended = true;
		listeners.delete(listener);
		wake();
	};

	listeners.add(listener);
	run.then(end, end);
	return (async function * () {
		try {
			while (!ended || waiting.length > 0) {
				if (waiting.length > 0) {
					yield waiting.shift()!;
				} else {
					await new Promise<void>(resolve => {
						wake = resolve;
					});
				}
			}

			await run;
		} finally {
			listeners.delete(listener);
		}
	})();
};
