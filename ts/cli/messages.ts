import process from 'node:process';
import {FlabError, missingDirectory} from '../errors.js';
import type {Context, Output} from './context.js';
import {exitCodes} from './exit-codes.js';

/** Tells what went wrong: two lines on stderr, and a JSON object on stdout if JSON was asked for. Gives the exit code. */
export const tellError = (thrown: unknown, {stdout, stderr}: Context, json: boolean): number => {
	const error = asFlabError(thrown);
	stderr.write(plain(`error ${error.code}: ${indented(error.message)}\n${error.hint === undefined ? '' : `hint: ${indented(error.hint)}\n`}`));
	if (process.env['FLAB_DEBUG'] === '1') {
		stderr.write(plain(`${stacks(thrown)}\n`));
	}

	if (json) {
		const {code, message, file, tensor, hint} = error;
		stdout.write(`${JSON.stringify({error: {code, message, file, tensor, hint}}, undefined, 2)}\n`);
	}

	return exitCodes[error.code];
};

/** Tells warnings, one a line. */
export const tellWarnings = (warnings: readonly string[], stderr: Output): void => {
	for (const warning of warnings) {
		stderr.write(plain(`warning: ${indented(warning)}\n`));
	}
};

/** Text whose control characters can't reach the terminal: names of files and tensors come from outside. */
export const plain = (text: string): string => text.replaceAll(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, '\uFFFD');

const asFlabError = (thrown: unknown): FlabError => {
	if (thrown instanceof FlabError) {
		return thrown;
	}

	const missing = missingDirectory(thrown);
	if (missing) {
		return missing;
	}

	const {name, code, message} = (thrown ?? {}) as {readonly name?: string; readonly code?: string; readonly message?: string};
	if (name === 'AbortError' || code === 'ERR_ABORTED') {
		return new FlabError('ERR_ABORTED', 'The operation was cancelled', {cause: thrown});
	}

	return new FlabError('ERR_INTERNAL', message ?? String(thrown), {
		cause: thrown,
		hint: 'This is a defect of flab-pruner: please report it, with what FLAB_DEBUG=1 prints.',
	});
};

const indented = (text: string): string => text.trimEnd().replaceAll('\n', '\n  ');

const stacks = (thrown: unknown): string => {
	const {stack, cause} = (thrown ?? {}) as {readonly stack?: string; readonly cause?: unknown};
	return `${stack ?? String(thrown)}${cause === undefined ? '' : `\ncaused by ${stacks(cause)}`}`;
};
