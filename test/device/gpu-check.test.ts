// scripts/gpu-check.sh on the emulator: what it reports when all is well, when a GPU fails, and when it is stopped.
import {execFile, spawn} from 'node:child_process';
import {existsSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import process from 'node:process';
import {once} from 'node:events';
import {setTimeout} from 'node:timers/promises';
import test from 'ava';
import type {ExecutionContext} from 'ava';
import {packageRoot} from '../../ts/native/root.js';
import {temporaryFolder} from '../fixtures/pico.js';

type Step = {
	readonly state: string;
	readonly date: string;
	readonly folder?: string;
	readonly tail?: string;
	readonly failedAlone?: Readonly<Record<string, string>>;
};

type Report = {
	readonly interrupted?: string;
	readonly steps: Readonly<Record<string, Step>>;
	readonly benchmark: ReadonlyArray<{readonly name: string; readonly date: string; readonly medianSeconds?: number; readonly error?: string}>;
	readonly targets: ReadonlyArray<{readonly reached: string}>;
};

const script = join(packageRoot, 'scripts/gpu-check.sh');
const {tree} = await import(join(packageRoot, 'native/test-tree.mjs')) as {tree: string};
const sanitizers = ['memcheck', 'racecheck', 'synccheck', 'initcheck'];

const python = async (args: readonly string[]) => new Promise<{readonly ended: boolean; readonly said: string}>(resolve => {
	const environment = {...process.env, PYTHONPATH: join(packageRoot, 'scripts/gpu_check'), PYTHONDONTWRITEBYTECODE: '1'};
	execFile('python3', args, {cwd: packageRoot, env: environment}, (error, stdout, stderr) => {
		resolve({ended: error === null, said: stdout + stderr});
	});
});

/** False, said in the test, where Python is not there, or what it runs was not built: it would be built now, which takes minutes. */
const canRun = async (t: ExecutionContext): Promise<boolean> => {
	const built = ['flab_cuda.so', 'tests/flab_backend_tests', 'bench/flab_bench'].every(file => existsSync(join(tree, file)));
	const hasPython = (await python(['--version'])).ended;
	if (!built || !hasPython) {
		t.log(`skipped: ${built ? 'python3 was not found' : 'node native/test-cuda.mjs makes what this runs'}`);
		t.pass();
	}

	return built && hasPython;
};

const start = (report: string, environment: Readonly<Record<string, string>> = {}, ...words: readonly string[]) =>
	spawn(script, ['--emulated', '--report', report, ...words], {cwd: packageRoot, env: {...process.env, ...environment}});

const readReport = async (path: string): Promise<Report> => JSON.parse(await readFile(path, 'utf8')) as Report;

const statesOf = (report: Report): Record<string, string> => Object.fromEntries(Object.entries(report.steps).map(([name, {state}]) => [name, state]));

test.serial('what the steps are made of does what it should, without a GPU', async t => {
	if (!(await python(['--version'])).ended) {
		t.log('skipped: python3 was not found');
		t.pass();
		return;
	}

	const {ended, said} = await python(['-m', 'unittest', 'discover', '-s', 'test/device/gpu-check', '-p', '*_test.py']);
	t.true(ended, said);
	t.regex(said, /^Ran [1-9]\d* tests/m);
});

test.serial('on a GPU where all is well every step passes, and every case of the benchmark is timed', async t => {
	if (!await canRun(t)) {
		return;
	}

	const path = join(await temporaryFolder(t), 'report.json');
	const child = start(path);
	let said = '';
	child.stdout.on('data', (text: Buffer) => {
		said += String(text);
	});
	t.is((await once(child, 'close'))[0], 0, said);
	const report = await readReport(path);
	const tested = Object.entries(statesOf(report)).filter(([name]) => !sanitizers.includes(name));
	t.deepEqual(tested, ['machine', 'build', 'kernels', 'kernels without cuBLASLt', 'models', 'transformers', 'benchmark'].map(name => [name, 'passed']));
	t.is(join(packageRoot, report.steps['build']!.folder!), tree, 'what is built anyway is not built once more');
	t.deepEqual(sanitizers.map(name => statesOf(report)[name]), sanitizers.map(() => 'skipped'));
	t.true(report.benchmark.length > 15);
	t.deepEqual(report.benchmark.filter(({medianSeconds}) => !(medianSeconds! > 0)), []);
	t.deepEqual([...new Set(report.targets.map(({reached}) => reached))].sort(), ['emulated', 'no peer'], 'nothing counts as reached here');
	t.true((await readFile(path.replace(/json$/, 'md'), 'utf8')).startsWith('emulated, '));
});

test.serial('a second call into the same report replaces what it tries, case by case, and keeps the rest', async t => {
	if (!await canRun(t)) {
		return;
	}

	const path = join(await temporaryFolder(t), 'report.json');
	const call = async (...words: readonly string[]): Promise<Report> => {
		const child = start(path, {}, ...words);
		child.stdout.resume();
		t.is((await once(child, 'close'))[0], 0);
		return readReport(path);
	};

	const first = await call('--steps', 'kernels,benchmark', '--cases', 'gpu/slice-');
	await setTimeout(1000); // dates are of seconds
	const second = await call('--steps', 'benchmark', '--cases', 'gpu/kl/');
	t.is(second.steps['kernels']!.date, first.steps['kernels']!.date);
	t.not(second.steps['benchmark']!.date, first.steps['benchmark']!.date);
	const dates = new Map(second.benchmark.map(({name, date}) => [name, date]));
	t.is(dates.get('gpu/slice-rows/924x64/keep130'), first.steps['benchmark']!.date);
	t.is(dates.get('gpu/kl/bf16/5x1500'), second.steps['benchmark']!.date);
	t.is(dates.size, second.benchmark.length);
});

test.serial('where a GPU fails, no step stops another, and each says what failed', async t => {
	if (!await canRun(t)) {
		return;
	}

	const path = join(await temporaryFolder(t), 'report.json');
	const child = start(path, {FLAB_EMULATED_FAULT: '2'});
	child.stdout.resume();
	t.is((await once(child, 'close'))[0], 1);
	const {steps, benchmark} = await readReport(path);
	for (const name of ['kernels', 'kernels without cuBLASLt', 'models', 'transformers', 'benchmark']) {
		t.is(steps[name]!.state, 'failed', name);
	}

	// A test that fails because of the one before it is told from one that fails.
	t.deepEqual(Object.keys(steps['kernels']!.failedAlone!), ['backend: rms_norm is that of doubles, for all rows and for chosen ones']);
	t.regex(steps['kernels']!.tail!, /an illegal memory access was encountered/);
	t.true(benchmark.some(({medianSeconds}) => medianSeconds! > 0));
	t.true(benchmark.some(({error}) => /an illegal memory access was encountered/.test(error ?? '')));
});

test.serial('when it is stopped, the report has what was found until then', async t => {
	if (!await canRun(t)) {
		return;
	}

	const path = join(await temporaryFolder(t), 'report.json');
	const child = start(path);
	let said = '';
	child.stdout.on('data', (text: Buffer) => {
		said += String(text);
		if (said.includes('kernels ... passed')) {
			child.kill('SIGTERM');
		}
	});
	t.is((await once(child, 'close'))[0], 1, said);
	const report = await readReport(path);
	t.is(report.interrupted, 'SIGTERM');
	t.is(report.steps['kernels']!.state, 'passed');
	t.is(report.steps['benchmark']!.state, 'not run');
});
