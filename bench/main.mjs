// npm run bench: builds flab_bench, times its cases and those of the whole program, prints a table and writes it as JSON.

import {mkdir, writeFile} from 'node:fs/promises';
import {dirname, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {endToEndCases} from './endtoend.mjs';
import {parseFlags, UsageError} from './flags.mjs';
import {describeMachine} from './machine.mjs';
import {buildCore, openCore, withoutScores} from './native.mjs';
import {formatRatio, formatSeconds} from './numbers.mjs';
import {startPeers} from './peers.mjs';
import {cleanUp, run} from './processes.mjs';
import {compare, runInTurns, summarise} from './rounds.mjs';
import {isLimit, selectCases} from './select.mjs';
import {bestOfKinds, disturbances, resultTable} from './table.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const tell = text => process.stderr.write(text);

/** What is run by the whole program: the addon and dist/. */
const buildProgram = async () => {
	await run('native/install.mjs', process.execPath, ['native/install.mjs', '--build'], {cwd: root});
	await run('tsc', process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'], {cwd: root});
};

/** The core's cases, each with what it is compared with. `open` takes the servers and gives the sides. */
const coreCases = (listed, peersOf) => listed.map(listedCase => {
	const {name} = listedCase;
	const theirs = peersOf(name);
	// What neuron scores add to a forward pass shows beside one without them.
	const [, shape] = /^neurons-in-forward\/(.*)$/.exec(name) ?? [];
	const without = shape && `forward/${shape}/states`;
	return {...listedCase, compared: [...(without ? [withoutScores] : []), ...theirs], open: servers => openCore(servers, {name, theirs, without})};
});

const prepare = async flags => {
	const environment = flags.threads === undefined ? {} : {FLAB_THREADS: String(flags.threads)};
	const peers = flags.peers ? await startPeers(flags.python) : undefined;
	tell('building flab_bench ...\n');
	const core = await buildCore(root, environment);
	const {build, cases: listed} = await core.list();
	if (flags.threads > build.threads) {
		throw new UsageError(`--threads ${flags.threads}: this machine grants ${build.threads}`);
	}

	const {versions, peersOf} = await peers?.begin(build) ?? {peersOf: () => []};
	const endToEnd = endToEndCases({root, environment, models: build.models});
	const cases = selectCases([...coreCases(listed, peersOf), ...endToEnd], flags.words);
	if (!flags.list && cases.some(one => endToEnd.includes(one))) {
		tell('building the addon and dist/ ...\n');
		await buildProgram();
	}

	return {cases, core, peers, machine: {...await describeMachine(build), ...(versions ? {peers: versions} : {})}};
};

const timeCase = async (one, flags, {servers, limits}) => {
	try {
		const {sides, close} = await one.open(servers);
		const result = compare((await runInTurns(sides, flags)).map(side => summarise(side)), one, limits);
		await close();
		return result;
	} catch (error) {
		throw new Error(`${one.name}: ${error.message}`, {cause: error});
	}
};

/** Times the cases one after the other; `results` grows with each. */
const timeAll = async ({cases, core, peers}, flags, results) => {
	const servers = {core, ours: core.serve(), peers};
	// What a limit's case does in a second at its best.
	const limits = new Map();
	for (const [index, one] of cases.entries()) {
		tell(`[${index + 1}/${cases.length}] ${one.name} ... `);
		const result = await timeCase(one, flags, {servers, limits});
		results.push(result);
		if (isLimit(one)) {
			limits.set(one.name, (one.flops || one.bytes) / result.bestSeconds);
		}

		tell(`${[formatSeconds(result.medianSeconds), ...bestOfKinds(result.peers).map(({name, ratioOfMedians}) => `${formatRatio(ratioOfMedians)} ${name}`)].join(', ')}\n`);
		for (const {name, error} of result.peers.filter(({error}) => error !== undefined)) {
			tell(`  ${name} could not run: ${error}\n`);
		}
	}

	await Promise.all([servers.ours.stop(), peers?.stop()]);
};

const write = async (path, results) => {
	const file = resolve(root, path);
	await mkdir(dirname(file), {recursive: true});
	await writeFile(file, `${JSON.stringify(results, undefined, '\t')}\n`);
	tell(`written to ${file}\n`);
};

const main = async (argv, interruption) => {
	const flags = parseFlags(argv);
	if (flags === undefined) {
		return;
	}

	const prepared = await Promise.race([prepare(flags), interruption]);
	if (flags.list) {
		process.stdout.write(prepared.cases.map(({name, compared}) => `${[name, ...compared].join('\n    ')}\n`).join(''));
		return;
	}

	// What was measured until something went wrong, or someone had enough, is told in any case.
	const results = [];
	const stopped = await Promise.race([timeAll(prepared, flags, results), interruption]).catch(error => error);
	tell(stopped ? '\n' : '');
	process.stdout.write(results.length > 0 ? resultTable(results) : '');
	tell(disturbances(results).map(line => `${line}\n`).join(''));
	await write(flags.json, {machine: prepared.machine, runs: flags.runs, seconds: flags.seconds, ...(stopped ? {stopped: stopped.message} : {}), results});
	if (stopped) {
		throw stopped;
	}
};

/** Rejects at the first signal that asks for an end; a second one ends at once. */
const interruption = new Promise((_, reject) => {
	for (const [signal, exitCode] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]]) {
		process.once(signal, () => {
			reject(Object.assign(new Error(`stopped by ${signal}`), {exitCode}));
		});
	}
});
interruption.catch(() => {});

try {
	await main(process.argv.slice(2), interruption);
} catch (error) {
	tell(`${error.message}\n`);
	process.exitCode = error.exitCode ?? (error instanceof UsageError ? 2 : 1);
}

await cleanUp();
// What was stopped may still wait for something.
process.exit();
