import process from 'node:process';
import type {Context} from './context.js';
import {interruptible} from './interrupt.js';
import {run} from './run.js';

/** Runs the command line on this process's streams and signals, and sets its exit code. */
export const start = async (argv: readonly string[], pipeline: Context['pipeline']): Promise<void> => {
	const {stdout, stderr} = process;
	for (const stream of [stdout, stderr]) {
		stream.on('error', ignoreClosedPipe);
	}

	const exitCode = await interruptible(async signal => run(argv, {stdout, stderr, pipeline, signal}), stderr);
	process.exitCode = exitCode;
	if (exitCode === abortedExitCode) {
		// What was cancelled has cleaned up; whatever else still holds the event loop may not delay the end.
		setTimeout(() => process.exit(exitCode), lingerMs).unref();
	}
};

const abortedExitCode = 130;
const lingerMs = 200;

// `flab-pruner inspect MODEL | head -1` closes the pipe early: what is not read is not missed, and a checkpoint being written is finished.
const ignoreClosedPipe = (error: NodeJS.ErrnoException): void => {
	if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') {
		throw error;
	}
};
