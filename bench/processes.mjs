// Processes and folders that may not outlive the benchmark.

import {spawn} from 'node:child_process';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';

const children = new Set();
const folders = new Set();
let ending = false;

/**
 * Starts a program in a process group of its own: Ctrl-C in a terminal reaches only the benchmark, which ends the whole group,
 * compilers started by compilers too. `ended` rejects, with what it said on stderr and what else was heard, unless it ends with 0.
 */
const start = (what, command, args, {environment = {}, ...options}) => {
	if (ending) {
		throw new ProcessError(`${what} was not started any more`);
	}

	const child = spawn(command, args, {...options, env: {...process.env, ...environment}, detached: true});
	children.add(child);
	let said = '';
	const hear = chunk => {
		said = (said + chunk).slice(-4000);
	};

	child.stderr.on('data', hear);
	const ended = new Promise((resolve, reject) => {
		child.once('error', error => {
			children.delete(child);
			reject(new ProcessError(error.code === 'ENOENT' ? `${what} could not be started: ${command} was not found` : `${what} could not be started: ${error.message}`));
		});
		child.once('close', (code, signal) => {
			children.delete(child);
			if (code === 0) {
				resolve();
			} else {
				const how = signal === null ? `with ${code}` : `by ${signal}${signal === 'SIGKILL' ? ', for want of memory perhaps' : ''}`;
				reject(new ProcessError(`${what} ended ${how}${said.trim() === '' ? '' : `:\n${said.trim()}`}`, code, said.trim()));
			}
		});
	});
	ended.catch(() => {});
	return {child, ended, hear};
};

/** A program that could not be started or did not end well; `code` is its exit code, `said` the end of what it said. */
export class ProcessError extends Error {
	constructor(message, code, said) {
		super(message);
		this.code = code;
		this.said = said;
	}
}

/** Runs a program to its end; what it writes to file 3 is the result. */
export const run = async (what, command, args, options = {}) => {
	const {child, ended, hear} = start(what, command, args, {...options, stdio: ['ignore', 'pipe', 'pipe', 'pipe']});
	// Some programs complain on stdout.
	child.stdout.on('data', hear);
	let result = '';
	child.stdio[3].on('data', chunk => {
		result += chunk;
	});
	await ended;
	return result;
};

/** Runs a program to its end and gives what it printed. */
export const read = async (what, command, args, options = {}) => {
	const {child, ended} = start(what, command, args, {...options, stdio: ['ignore', 'pipe', 'pipe']});
	let result = '';
	child.stdout.on('data', chunk => {
		result += chunk;
	});
	await ended;
	return result;
};

/**
 * A program that is asked one thing at a time, a line each, and answers with a line of JSON. `next` waits for a line that was
 * not asked for.
 */
export const serve = (what, command, args, options = {}) => {
	const {child, ended} = start(what, command, args, {...options, stdio: ['pipe', 'pipe', 'pipe']});
	// A program that has ended says so through `ended`, not through a broken pipe.
	child.stdin.on('error', () => {});
	const lines = createInterface({input: child.stdout})[Symbol.asyncIterator]();
	let stopped = false;
	const next = async () => {
		const {value, done} = await lines.next();
		if (done) {
			await ended;
			throw new ProcessError(`${what} ended without an answer`);
		}

		try {
			return JSON.parse(value);
		} catch {
			throw new ProcessError(`${what} answered with something that is not JSON: ${value}`);
		}
	};

	return {
		next,
		async ask(line) {
			child.stdin.write(`${line}\n`);
			return next(line);
		},
		async stop() {
			if (!stopped) {
				stopped = true;
				child.stdin.end();
				await ended;
			}
		},
	};
};

export const temporaryFolder = async () => {
	const folder = await mkdtemp(join(tmpdir(), 'flab-pruner-bench-'));
	folders.add(folder);
	return folder;
};

export const removeFolder = async folder => {
	await rm(folder, {recursive: true, force: true, maxRetries: 3});
	folders.delete(folder);
};

/** Ends every process that was started and removes every folder that was made. */
export const cleanUp = async () => {
	ending = true;
	await Promise.all([...children].map(async child => {
		const closed = new Promise(resolve => {
			child.once('close', resolve);
		});
		try {
			process.kill(-child.pid, 'SIGKILL');
		} catch {} // it has ended meanwhile
		await closed;
	}));
	await Promise.all([...folders].map(removeFolder));
};
