import process from 'node:process';
import type {Output} from './context.js';

/**
 * Runs `work` with a signal that fires on the first SIGINT, SIGTERM or SIGHUP, and waits for it to clean up; a second one ends the process at once
 * with exit code 130.
 */
export const interruptible = async <Result>(work: (signal: AbortSignal) => Promise<Result>, stderr: Output): Promise<Result> => {
	const controller = new AbortController();
	const interrupt = (name: NodeJS.Signals): void => {
		if (controller.signal.aborted) {
			process.exit(130);
		}

		controller.abort(new Error(name));
		stderr.write(`stopping (${name}); once more stops without cleaning up\n`);
	};

	for (const name of names) {
		process.on(name, interrupt);
	}

	try {
		return await work(controller.signal);
	} finally {
		for (const name of names) {
			process.off(name, interrupt);
		}
	}
};

const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
