// The command line as its users have it: the compiled package, in a process of its own.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync} from 'node:fs';
import {readFile, readdir, truncate, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import process from 'node:process';
import {text} from 'node:stream/consumers';
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {packageRoot} from '../../ts/native/root.js';
import type {Inspection, Plan, Report} from '../../ts/index.js';
import {longPlace, picoPlace} from './checkpoints.js';
import type {Place} from './checkpoints.js';
import {checkOutput} from './expected.js';
import {beside, contents} from './folders.js';
import {msUnderLoad} from '../waits.js';

const script = join(packageRoot, 'dist/cli/main.js');

const start = (argv: readonly string[]) => spawn(process.execPath, [script, ...argv], {stdio: ['ignore', 'pipe', 'pipe']});

const runLine = async (...argv: readonly string[]): Promise<{code: number | null; stdout: string; stderr: string}> => {
	const child = start(argv);
	const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close') as Promise<[number | null]>]);
	return {code, stdout, stderr};
};

const cuts = ({corpus, calibration}: Place): readonly string[] => ['--corpus', corpus, '--calibration', calibration, '--drop-layers', '1', '--ffn-width', '24', '--ffn-multiple', '8'];

test.before(t => {
	t.true(existsSync(script), 'npm run build:ts makes it');
});

test('prune --json prints one JSON document and nothing else, and the checkpoint is there', async t => {
	const place = await picoPlace(t);
	const {code, stdout, stderr} = await runLine('prune', place.model, '--out', place.out, ...cuts(place), '--json');
	t.deepEqual([code, stderr], [0, '']);
	const report = JSON.parse(stdout) as Report;
	t.is(report.verification!.relativeError, 0);
	await checkOutput(t, {...place, plan: report.plan});
	t.deepEqual(await beside(place), ['out']);
});

test('plan and apply do in two commands what prune does in one', async t => {
	const place = await picoPlace(t);
	const plan = join(place.root, 'plan.json');
	const applied = join(place.root, 'applied');
	const pruned = await runLine('prune', place.model, '--out', place.out, ...cuts(place));
	t.deepEqual([pruned.code, pruned.stderr], [0, '']);
	t.regex(pruned.stdout, /vocabulary[^]*layers[^]*ffn/i);
	const made = await runLine('plan', place.model, '--out', plan, ...cuts(place), '--quiet');
	t.deepEqual(made, {code: 0, stdout: '', stderr: ''});
	const printed = await runLine('plan', place.model, ...cuts(place), '--json');
	t.deepEqual([printed.code, printed.stderr, printed.stdout], [0, '', await readFile(plan, 'utf8')]);
	t.is((JSON.parse(printed.stdout) as Plan).schemaVersion, 1);
	const carriedOut = await runLine('apply', place.model, '--plan', plan, '--out', applied, '--calibration', place.calibration, '--json');
	t.deepEqual([carriedOut.code, carriedOut.stderr], [0, '']);
	t.is((JSON.parse(carriedOut.stdout) as Report).verification!.relativeError, 0);
	t.deepEqual(await contents(applied), await contents(place.out));
});

test('inspect tells people and machines the same', async t => {
	const {model} = await picoPlace(t);
	const {code, stdout, stderr} = await runLine('inspect', model, '--json');
	t.deepEqual([code, stderr], [0, '']);
	const inspection = JSON.parse(stdout) as Inspection;
	t.deepEqual([inspection.family, inspection.layers, inspection.vocabulary], ['qwen2', 4, 804]);
	const people = await runLine('inspect', model);
	t.regex(people.stdout, /qwen2/);
	t.is(people.stderr, '');
});

test('a warning goes to stderr, and the JSON stays pure', async t => {
	const place = await picoPlace(t, {files: {'optimizer.pt': 'state'}});
	const {code, stdout, stderr} = await runLine('prune', place.model, '--out', place.out, ...cuts(place), '--json');
	t.deepEqual([code, stderr], [0, 'warning: Not carried over: optimizer.pt\n']);
	t.deepEqual((JSON.parse(stdout) as Report).plan.warnings, ['Not carried over: optimizer.pt']);
});

const failures: Readonly<Record<string, {readonly code: number; readonly error: string; readonly prepare?: (place: Place) => Promise<unknown>; readonly more?: readonly string[]}>> = {
	'an option that does not exist': {code: 2, error: 'ERR_BAD_ARGUMENT', more: ['--drop', '1']},
	'a width that is no multiple': {code: 2, error: 'ERR_BAD_ARGUMENT', more: ['--ffn-width', '23']},
	'a truncated file': {code: 3, error: 'ERR_BAD_FILE', prepare: async ({model}) => truncate(join(model, 'model.safetensors'), 50_000)},
	'a bad record': {code: 3, error: 'ERR_BAD_DATA', prepare: async ({corpus}) => writeFile(corpus, '{"text": "a"}\n7\n')},
	'an existing output': {code: 4, error: 'ERR_OUTPUT_EXISTS', prepare: async ({out}) => writeFile(out, 'mine')},
};

for (const [what, {code, error, prepare, more = []}] of Object.entries(failures)) {
	test(`${what} ends with ${code}, a sentence and a hint, and changes nothing`, async t => {
		const place = await picoPlace(t);
		await prepare?.(place);
		const before = await contents(place.root);
		const line = ['prune', place.model, '--out', place.out, ...cuts(place), ...more];
		const people = await runLine(...line);
		t.is(people.code, code);
		t.is(people.stdout, '');
		t.regex(people.stderr, new RegExp(`^error ${error}: [^\\n]+\\n(  [^\\n]+\\n)*(hint: [^\\n]+\\n)?$`));
		const machine = await runLine(...line, '--json');
		t.is(machine.code, code);
		t.is((JSON.parse(machine.stdout) as {error: {code: string}}).error.code, error);
		t.deepEqual(await contents(place.root), before);
	});
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
	test.serial(`${signal} in the middle of a search ends with 130 within a second and leaves nothing`, async t => {
		const place = await longPlace(t);
		const child = start(['prune', place.model, '--out', place.out, '--calibration', place.calibration, '--drop-layers', '8', '--positions', 'all']);
		const ends = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close') as Promise<[number | null]>]);
		while (!(await readdir(place.root)).some(name => name.startsWith('.out.tmp-'))) {
			await sleep(10);
		}

		// Past reading and hashing, well into the search.
		await sleep(1500);
		t.is(child.exitCode, null, 'it is still at work');
		const beginMs = performance.now();
		child.kill(signal);
		const [stdout, stderr, [code]] = await ends;
		t.true(performance.now() - beginMs < msUnderLoad(1000), `${performance.now() - beginMs} ms`);
		t.deepEqual([code, stdout], [130, '']);
		t.is(stderr, `stopping (${signal}); once more stops without cleaning up\nerror ERR_ABORTED: The operation was cancelled\n`);
		t.deepEqual(await beside(place), []);
	});
}

test.serial('a run that was killed leaves a folder that the next run clears', async t => {
	const place = await longPlace(t);
	const child = start(['prune', place.model, '--out', place.out, '--calibration', place.calibration, '--drop-layers', '8', '--positions', 'all']);
	const end = once(child, 'close');
	while ((await beside(place)).length === 0) {
		await sleep(10);
	}

	child.kill('SIGKILL');
	await end;
	t.regex((await beside(place)).join(), /^\.out\.tmp-\d+-[\da-f]{8}$/);
	const {code} = await runLine('prune', place.model, '--out', place.out, '--drop-layers', '1,', '--no-verify', '--quiet');
	t.is(code, 0);
	t.deepEqual(await beside(place), ['out']);
});

test('a reader that closes the pipe early does not end the work', async t => {
	const place = await picoPlace(t);
	const child = start(['prune', place.model, '--out', place.out, ...cuts(place), '--json']);
	child.stdout.destroy();
	const [code] = await once(child, 'close') as [number | null];
	t.is(code, 0);
	t.true(existsSync(join(place.out, 'model.safetensors')));
});

test('a limit of memory that is too small is refused with the smallest that works, always the same; under that one the same bytes come out, and the process stays below it', async t => {
	const place = await picoPlace(t, {layers: 6, width: 64, queryHeads: 4, headWidth: 16, kvHeads: 2, ffnWidth: 96});
	const free = await runLine('prune', place.model, '--out', place.out, ...cuts(place), '--quiet');
	t.is(free.code, 0);
	const limited = join(place.root, 'limited');
	const named = async (limit: string, unit: string): Promise<number> => {
		const {code, stderr} = await runLine('prune', place.model, '--out', limited, ...cuts(place), '--max-memory', `${limit}${unit}`);
		t.is(code, 6);
		const [, least, got] = new RegExp(`^error ERR_MEMORY: --max-memory: expected at least (\\d+) ${unit} for this model and these texts, got (\\d+) ${unit}\\n`).exec(stderr) ?? [];
		t.is(got, limit, stderr);
		return Number(least);
	};

	const limit = await named('20', 'MB');
	t.deepEqual([await named('100', 'MB'), await named(String(limit - 1), 'MB')], [limit, limit]);
	const binary = await named('64', 'MiB');
	t.true(Math.abs(binary * 2 ** 20 - limit * 1e6) < 2 ** 20, `${limit} MB and ${binary} MiB are the same, rounded up`);
	t.false(existsSync(limited));
	const {code, stdout, stderr} = await runLine('prune', place.model, '--out', limited, ...cuts(place), '--max-memory', `${limit}MB`, '--json');
	t.deepEqual([code, stderr], [0, '']);
	t.true((JSON.parse(stdout) as Report).peakBytes <= limit * 1e6, `peak ${(JSON.parse(stdout) as Report).peakBytes}, limit ${limit} MB`);
	t.deepEqual(await contents(limited), await contents(place.out));
});
