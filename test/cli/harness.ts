import {Writable} from 'node:stream';
import {doctor} from '../../ts/doctor/doctor.js';
import {run} from '../../ts/cli/run.js';
import type {Pipeline} from '../../ts/cli/context.js';
import {examplePlan} from '../plan/examplePlan.js';
import {exampleInspection} from '../report/exampleInspection.js';
import {exampleReport} from '../report/exampleReport.js';

/** What a command line did: exit code, both streams, the calls of the pipeline, and whether it was loaded at all. */
export type Outcome = {readonly code: number; readonly stdout: string; readonly stderr: string; readonly calls: readonly (readonly unknown[])[]; readonly loaded: boolean};

/** Runs a command line in this process on a pipeline that answers with examples; `overrides` replace parts of it. */
export const runLine = async (argv: readonly string[], overrides: Partial<Pipeline> = {}, {isTTY = false, signal}: {readonly isTTY?: boolean; readonly signal?: AbortSignal} = {}): Promise<Outcome> => {
	const calls: unknown[][] = [];
	let loaded = false;
	const answers: Pipeline = {
		prune: async () => exampleReport(),
		plan: async () => examplePlan(),
		apply: async () => exampleReport(),
		inspect: async () => exampleInspection(),
		doctor: async () => doctor(),
		...overrides,
	};
	const recorded = Object.fromEntries(Object.entries(answers).map(([name, answer]) => [name, async (...inputs: unknown[]) => {
		calls.push([name, ...inputs]);
		return (answer as (...inputs: unknown[]) => Promise<unknown>)(...inputs);
	}])) as unknown as Pipeline;
	const stdout = collector(false);
	const stderr = collector(isTTY);
	const code = await run(argv, {
		stdout: stdout.stream,
		stderr: stderr.stream,
		signal,
		async pipeline() {
			loaded = true;
			return recorded;
		},
	});
	return {code, stdout: stdout.text(), stderr: stderr.text(), calls, loaded};
};

const collector = (isTTY: boolean) => {
	const chunks: string[] = [];
	const stream = new Writable({
		write(chunk, _encoding, done) {
			chunks.push(String(chunk));
			done();
		},
	});
	// What cli-progress asks of a terminal.
	const terminal = Object.assign(stream, {isTTY, columns: isTTY ? 100 : undefined, cursorTo: () => true, clearLine: () => true, moveCursor: () => true});
	return {stream: terminal, text: () => chunks.join('')};
};
