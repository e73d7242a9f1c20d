import {execFile} from 'node:child_process';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import os from 'node:os';
import {join} from 'node:path';
import process from 'node:process';
import test from 'ava';
import type {Diagnosis} from '../../ts/index.js';
import {problemsOf} from '../../ts/doctor/problems.js';
import {diagnosisToText} from '../../ts/doctor/text.js';
import {packageRoot} from '../../ts/native/root.js';
import {runLine} from './harness.js';

const script = join(packageRoot, 'build/tests/ts/cli/main.js');
const version = (JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8')) as {version: string}).version;

/** `doctor --json` in a process of its own with these variables. */
const doctorWith = async (env: Readonly<Record<string, string>>, ...before: readonly string[]): Promise<{code: number; diagnosis: Diagnosis}> => new Promise((resolve, reject) => {
	const [command, ...rest] = [...before, process.execPath, script, 'doctor', '--json'];
	const {FLAB_THREADS: _, FLAB_CPU: __, ...inherited} = process.env;
	execFile(command!, rest, {env: {...inherited, ...env}}, (error, stdout, stderr) => {
		try {
			resolve({code: typeof error?.code === 'number' ? error.code : 0, diagnosis: JSON.parse(stdout) as Diagnosis});
		} catch {
			reject(new Error(`${stdout}${stderr}`));
		}
	});
});

test('doctor tells version, addon, instruction set, threads, memory, CUDA and temporary files', async t => {
	const {code, stdout, stderr} = await runLine(['doctor']);
	t.deepEqual([code, stderr], [0, '']);
	for (const line of [
		new RegExp(`^flab-pruner {6}${version}$`, 'm'), /^Node {13}\d+\.\d+/m, /^platform {9}\w+ \w+, /m, /^addon {12}(built here|prebuilt), \/.*\.node$/m,
		/^instruction set {2}\w+: (the best of this build|FLAB_CPU asks for it)/m, /^threads {10}\d+: .* \(CPUs \d+, affinity \d+, /m, /^memory {11}\S+ [kMGT]?B available of .*; without --max-memory a computation takes at most half of that, \S+ [kMGT]?B$/m,
		/^CUDA {13}not usable: /m, /^cuBLASLt {9}not looked for: /m, /^temporary files {2}\/.* free$/m,
	]) {
		t.regex(stdout, line);
	}
});

test('FLAB_THREADS, FLAB_CPU and TMPDIR show, with the reason', async t => {
	const folder = await mkdtemp(join(os.tmpdir(), 'flab-doctor-'));
	t.teardown(async () => rm(folder, {recursive: true}));
	const {code, diagnosis} = await doctorWith({FLAB_THREADS: '1', FLAB_CPU: 'generic', TMPDIR: folder});
	t.is(code, 0);
	t.like(diagnosis, {healthy: true, version, node: process.versions.node, cuda: {state: 'not usable'}});
	t.like(diagnosis.threads, {allowed: 1, wanted: '1', reason: 'FLAB_THREADS asks for no more'});
	t.like(diagnosis.cpu, {instructionSet: 'generic', forced: 'generic', reason: 'FLAB_CPU asks for it'});
	t.like(diagnosis.temporary, {folder, writable: true});
	t.is(diagnosis.addon.loaded, true);
});

test('more threads than there are, and fewer that could be started than were asked for, are warnings with a remedy', async t => {
	const {code, diagnosis} = await doctorWith({FLAB_THREADS: '100000'});
	t.is(code, 0);
	const about = (threads: Partial<Diagnosis['threads']>) => problemsOf({...diagnosis, threads: {...diagnosis.threads, affinity: 8, cgroup: null, wanted: null, ...threads}}).filter(problem => problem.about === 'threads');
	t.regex(diagnosis.problems.find(({about}) => about === 'threads')!.message, /^FLAB_THREADS=100000 is more than the \d+ that the machine grants$/);
	t.like(about({allowed: 3})[0], {severity: 'warning', message: 'Only 3 of 8 threads could be started'});
	t.regex(about({allowed: 3})[0]!.remedy, /ulimit -u/);
	t.like(about({allowed: 3, wanted: '4'})[0], {message: 'Only 3 of 4 threads could be started'});
	t.like(about({allowed: 2, cgroup: 2, wanted: '4'})[0], {message: 'FLAB_THREADS=4 is more than the 2 that the machine grants'});
	t.deepEqual([{allowed: 8}, {allowed: 2, cgroup: 2}, {allowed: 4, wanted: '4'}, {allowed: 2, cgroup: 2, wanted: '2'}].flatMap(about), []);
});

for (const wanted of ['1.5', '1e3', '0x2', 'abc', '0', '-1']) {
	test(`FLAB_THREADS=${wanted}, which is no number of threads, is an error`, async t => {
		const {code, diagnosis} = await doctorWith({FLAB_THREADS: wanted});
		t.is(code, 1);
		t.deepEqual(diagnosis.problems.map(({about, severity, message, remedy}) => [about, severity, message, remedy]), [
			['threads', 'error', `FLAB_THREADS: expected a whole number of at least 1, got "${wanted}"`, 'Set FLAB_THREADS to a number of threads, or unset it.'],
		]);
	});
}

test('the affinity of the process is honoured', async t => {
	if (process.platform !== 'linux') {
		t.pass('skipped: affinity is only known on Linux');
		return;
	}

	const {diagnosis} = await doctorWith({}, 'taskset', '-c', '0');
	t.like(diagnosis.threads, {allowed: 1, affinity: 1});
});

test('an addon that does not load is a finding: exit code 1, the error, a remedy', async t => {
	const {code, diagnosis} = await doctorWith({FLAB_CPU: 'pentium'});
	t.is(code, 1);
	t.false(diagnosis.healthy);
	t.like(diagnosis.addon, {loaded: false, file: null, error: {code: 'ERR_BAD_ARGUMENT'}});
	t.is(diagnosis.threads.allowed, null);
	t.deepEqual(diagnosis.problems.map(({about, severity, remedy}) => [about, severity, remedy]), [['cpu', 'error', 'Set FLAB_CPU to one of these, or unset it.']]);
});

test('without any binary doctor still answers', async t => {
	const folder = await mkdtemp(join(os.tmpdir(), 'flab-doctor-'));
	t.teardown(async () => rm(folder, {recursive: true}));
	// A loader that finds nothing, in front of every request for a binary.
	const hook = join(folder, 'hook.cjs');
	await writeFile(hook, `require('node:module')._extensions['.node'] = (_, file) => { throw new Error('no such binary here'); };`);
	const {code, diagnosis} = await doctorWith({NODE_OPTIONS: `--require ${hook}`});
	t.is(code, 1);
	t.like(diagnosis.addon, {loaded: false, error: {code: 'ERR_NATIVE_LOAD'}});
	t.regex(diagnosis.addon.error!.message, /no such binary here/);
	t.true(diagnosis.problems[0]!.remedy.length > 10);
	t.regex(diagnosisToText(diagnosis), /^addon {12}not loaded$/m);
});

test('little memory, a full or unwritable place for temporary files, and an old Node have their remedies', async t => {
	const {diagnosis} = await doctorWith({});
	const problems = problemsOf({
		...diagnosis, node: '18.20.0', memory: {...diagnosis.memory, availableBytes: 1e8, cgroupBytes: 2e8}, temporary: {folder: '/full', writable: true, inMemory: false, freeBytes: 5e6},
	});
	t.deepEqual(problems.map(({about, severity}) => [about, severity]), [['node', 'error'], ['memory', 'warning'], ['temporary', 'warning']]);
	t.is(problems[1]!.message, 'Only 100 MB of memory are available');
	t.is(problems[1]!.remedy, 'Give the container or job more memory.');
	t.regex(problems[2]!.message, /^\/full has only 5\.00 MB free: /);
	const text = diagnosisToText({...diagnosis, healthy: false, problems});
	t.regex(text, /\nerror: Node 18\.20\.0 is not supported\n {2}Install Node 20\.19/);
});
