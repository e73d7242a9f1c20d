// A command line in a process of its own, on a pipeline that waits for the signal. What it does is told on stderr.
import {doctor} from '../../ts/doctor/doctor.js';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import type {Pipeline} from '../../ts/cli/context.js';
import {start} from '../../ts/cli/start.js';
import {abortError} from '../../ts/errors.js';
import {exampleInspection} from '../report/exampleInspection.js';
import {exampleReport} from '../report/exampleReport.js';

const [behaviour, ...argv] = process.argv.slice(2);

const prune: Pipeline['prune'] = async (_options, {signal} = {}) => {
	// Something that would keep the process alive for long.
	setTimeout(() => {}, 60_000);
	process.stderr.write('working\n');
	await new Promise(resolve => {
		signal?.addEventListener('abort', resolve);
	});
	await sleep(behaviour === 'stubborn' ? 60_000 : 100);
	process.stderr.write('cleaned up\n');
	throw abortError(signal);
};

await start(argv, async () => ({
	prune,
	plan: async () => exampleReport().plan,
	apply: async () => exampleReport(),
	doctor,
	inspect: async () => ({...exampleInspection(), components: Array.from({length: 20_000}, () => exampleInspection().components[0]!)}),
}));
