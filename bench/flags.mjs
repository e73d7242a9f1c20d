// The benchmark's command line.

import {Command, CommanderError, InvalidArgumentError} from 'commander';

/** What was asked for can't be: a sentence for people, exit code 2. */
export class UsageError extends Error {}

const whole = raw => {
	if (!/^[1-9]\d{0,5}$/.test(raw)) {
		throw new InvalidArgumentError('Expected a whole number from 1.');
	}

	return Number(raw);
};

const positive = raw => {
	if (!/^(?:\d+\.?\d*|\.\d+)$/.test(raw) || Number(raw) === 0) {
		throw new InvalidArgumentError('Expected a number above 0.');
	}

	return Number(raw);
};

/**
 * Flags and words of the command line; undefined where it asked for the help, which is printed.
 *
 * @throws UsageError
 */
export const parseFlags = (argv, environment = process.env) => {
	const command = new Command('npm run bench --')
		.description('Times the operations of flab-pruner on this machine; with --peers those of PyTorch and transformers too, run by run in turns.')
		.argument('[words...]', 'only cases whose names contain one of these')
		.option('--list', 'print the names of the cases and what they are compared with')
		.option('--peers', 'time what people would run instead; needs a Python with torch and transformers')
		.option('--python <path>', 'that Python (default: $PYTHON, else python3)')
		.option('--runs <n>', 'runs of a case, at most', whole, 15)
		.option('--seconds <s>', 'time a case may take, without preparation; it is run twice in any case, but once only if a single run takes longer', positive, 10)
		.option('--threads <n>', 'threads of both sides (default: as many as the machine grants)', whole)
		.option('--json <file>', 'where the results are written', 'build/bench.json')
		.exitOverride()
		.configureOutput({writeErr() {}});
	try {
		command.parse(argv, {from: 'user'});
	} catch (error) {
		if (!(error instanceof CommanderError)) {
			throw error;
		}

		if (error.exitCode === 0) {
			return undefined;
		}

		throw new UsageError(`${error.message.replace(/^error: /, '')}. See npm run bench -- --help`.replace('..', '.'));
	}

	const {python, ...flags} = command.opts();
	if (python !== undefined && !flags.peers) {
		throw new UsageError('--python names the Python that runs the peers: it needs --peers. See npm run bench -- --help');
	}

	return {list: false, peers: false, ...flags, python: python ?? (environment.PYTHON || 'python3'), words: command.args};
};
