// The core's cases: flab_bench is built, asked what it has, and runs them one at a time.

import {availableParallelism} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {busySeconds} from './machine.mjs';
import {read, run, serve} from './processes.mjs';

// An outer make's job server must not reach the inner one.
const outside = {MAKEFLAGS: undefined, MFLAGS: undefined, MAKELEVEL: undefined};

/** Builds flab_bench and gives what starts it with additions to the environment. */
export const buildCore = async (root, environment) => {
	const tree = join(root, 'build', 'bench');
	await run('cmake', 'cmake', ['-S', root, '-B', tree, '-DFLAB_BENCH=ON', '-DFLAB_ADDON=OFF', '-DCMAKE_BUILD_TYPE=Release'], {cwd: root, environment: outside});
	await run('cmake', 'cmake', ['--build', tree, '--config', 'Release', '-j', String(availableParallelism())], {cwd: root, environment: outside});
	const program = join(tree, 'bench', 'flab_bench');
	return {
		/** How the core was built and what it would run on, and the cases it has. */
		async list() {
			const [build, ...cases] = (await read('flab_bench', program, ['--list'], {environment})).trim().split('\n').map(line => JSON.parse(line));
			return {build, cases};
		},
		serve: () => serve('flab_bench', program, ['--serve'], {environment}),
	};
};

/** The name of the side that is a forward pass of our own. */
export const withoutScores = 'without neuron scores';

/**
 * The sides of a core's case: ours; where `without` names a case of our own to compare with, that one, run by a second flab_bench;
 * and `theirs`, peers by name.
 */
export const openCore = ({core, ours, peers}, {name, theirs, without}) => {
	const second = without === undefined ? undefined : core.serve();
	const restMs = theirs.length > 0 ? spinMs : 0;
	return {
		sides: [
			side(undefined, async () => ours.ask(name), restMs),
			...(second ? [side(withoutScores, async () => second.ask(without), restMs)] : []),
			...theirs.map(peer => side(peer, async () => peers.ask(JSON.stringify({case: name, peer})), restMs)),
		],
		close: async () => second?.stop(),
	};
};

// Idle threads of OpenMP spin for some 10 ms before they sleep (those that would for 200 are told otherwise, see peers.mjs).
// Whoever is next has to have the processors, and everyone begins on processors that have rested.
const spinMs = 50;

/** A side that also tells how busy the machine was while it ran. `ask` is answered without seconds when operands were made. */
const side = (name, ask, restMs) => ({
	name,
	async prepare() {
		const answer = await ask();
		await sleep(restMs);
		return answer;
	},
	async run() {
		const before = busySeconds();
		const answer = await ask();
		const machineSeconds = busySeconds() - before;
		await sleep(restMs);
		return {...answer, machineSeconds};
	},
});
