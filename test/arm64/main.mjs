// The binary for arm64, run under emulation: the core's tests with each instruction set, the tests of the binding and the
// kernels in an arm64 Node, and tiny checkpoints pruned to the bytes that this machine makes. Ends with "N passed, N failed".
//
//   npm run test:arm64 [-- --short]
//
// Short leaves out what says little about this binary and takes minutes: processes and threads, what is refused, and the kernels without
// instructions of their own. Emulation shows that results are right, and nothing about time.

import {spawn, spawnSync} from 'node:child_process';
import {existsSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import * as cross from '../../native/cross.mjs';
import {exportsDataOnly, instructionSets} from '../../native/instruction-sets.mjs';
import {emulatedNode, sysroot} from './node.mjs';

process.chdir(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

const counts = {passed: 0, failed: 0};
const count = (passed, failed) => {
	counts.passed += passed;
	counts.failed += failed;
};

/** Debian packages that have what is not here. */
const missingPackages = () => [
	['cmake', spawnSync('cmake', ['--version']).status === 0],
	['g++-aarch64-linux-gnu', cross.hasCompiler()],
	['qemu-user', spawnSync('qemu-aarch64', ['--version']).status === 0],
	['libstdc++6-arm64-cross', existsSync(join(sysroot, 'lib', 'libstdc++.so.6'))],
].filter(([, isHere]) => !isHere).map(([name]) => name);

/** Runs a program to its end and returns its output; one that hangs is stopped. */
const run = async (command, args, environment, onOutput = () => undefined) => new Promise(resolve => {
	const child = spawn(command, args, {env: {...process.env, ...environment}, stdio: ['ignore', 'pipe', 'inherit'], timeout: 900_000});
	let out = '';
	child.stdout.on('data', chunk => {
		out += String(chunk);
		onOutput(chunk);
	});
	child.on('error', error => resolve({status: error.message, out}));
	child.on('close', (status, signal) => resolve({status: status ?? signal, out}));
});

// With nothing in them that depends on the processor: minutes under emulation.
const long = ['-a text of several tasks', '-first logits that', '-a search that keeps states between its steps', '-a memory limit changes no bit', '-a race finds the layer', '-what was kept', '-pieces larger'];
// Kernels that are one source for all three: NEON's stands for them.
const common = [
	...long, '-divergences from 1', '-divergences above', '-an offset common', '-peaked references', '-rows of tensors', '-log_sum_exp',
	'-slices on all threads', '-a long text',
];

/** How the core's tests run with each instruction set: the emulated processor, and what is left out. */
const coreRuns = {
	generic: ['cortex-a72', [...common, '-products in']],
	neon: ['cortex-a72', [...long, '-products in bf16']],
	neonbf16: ['max', [...common, '-products in f32']],
};

const testCore = async cpu => {
	const [processor, leftOut] = coreRuns[cpu];
	const {status, out} = await run('qemu-aarch64', ['-cpu', processor, '-L', sysroot, join(cross.tree, 'tests', 'flab_core_tests'), ...leftOut], {FLAB_CPU: cpu});
	console.log(`The core's tests on an emulated ${processor}: ${out}`);
	const [, passed = 0, failed = 1] = /^(\d+) passed, (\d+) failed$/m.exec(out) ?? [];
	count(Number(passed), Number(failed));
	if (status !== 0) {
		console.log(`FAILED: the core's tests with FLAB_CPU=${cpu} ended with ${status}`);
	}
};

// These bound the time that something takes, or take minutes under emulation.
const timed = [
	'*stops the job at once*', '*within a second*', '*can be cancelled while it waits', '*do not wait for each other forever',
	'the event loop and the file system are free*', 'a job keeps its model while it runs*', '*is terminated at any moment*', 'two worker threads*',
];

// Each starts processes, which take ten seconds and more under emulation, and none computes.
const aboutProcesses = [
	'FLAB_THREADS=*is refused*', '*in the middle of a job ends*', '*thousands of jobs*', '*exits while a worker thread*', 'memory that a terminated worker thread*',
	'models go*', 'mapped files go*', 'jobs keep the memory*', 'a thousand jobs*', '*gives no more threads*',
];

const isShort = process.argv.includes('--short');

const testBinding = async environment => {
	const {status, out} = await run(process.execPath, [
		join('node_modules', 'ava', 'entrypoints', 'cli.mjs'), 'test/kernels/*.test.ts', 'test/native/*.test.ts', 'test/binding/*.test.ts',
		...isShort ? ['!test/*/refusals.test.ts'] : [],
		...[...timed, ...isShort ? aboutProcesses : []].map(title => `--match=!${title}`),
	], environment, chunk => process.stdout.write(chunk));
	const lines = sign => out.split('\n').filter(line => line.includes(sign)).length;
	count(lines('✔'), Math.max(lines('✘'), status === 0 ? 0 : 1));
};

const testBytes = async (node, environment) => {
	const {byteTests} = await import('./bytes.mjs');
	for (const [title, test] of byteTests(node, environment)) {
		const undo = [];
		const wrong = await test({teardown: action => undo.push(action)}).catch(error => error.message);
		console.log(wrong === undefined ? `passed: ${title}` : `FAILED: ${title}: ${wrong}`);
		count(wrong === undefined ? 1 : 0, wrong === undefined ? 0 : 1);
		await Promise.all(undo.map(async action => action()));
	}
};

const packages = missingPackages();
if (process.arch !== 'x64' || packages.length > 0) {
	console.log(`skipped: the arm64 binary, which ${packages.length > 0 ? `needs ${packages.join(', ')} to be built and run` : 'is cross-compiled and emulated on x64 only'}`);
	process.exit();
}

cross.build('flab_core_tests', '-DFLAB_TESTS=ON');
const made = spawnSync(process.execPath, ['native/prebuilds.mjs', 'arm64'], {stdio: 'inherit'});
count(made.status === 0 ? 1 : 0, made.status === 0 ? 0 : 1);
for (const cpu of instructionSets.arm64) {
	const isSafe = exportsDataOnly(cpu, cross.tree, cross.tool('nm'));
	count(isSafe ? 1 : 0, isSafe ? 0 : 1);
}

const core = Promise.all(instructionSets.arm64.filter(cpu => !isShort || cpu !== 'generic').map(testCore));
let node;
try {
	node = emulatedNode(resolve('build', 'arm64'));
} catch (error) {
	console.log(`skipped: the binding in an arm64 Node, which npm could not fetch: ${error.message}`);
}

if (node) {
	await testBinding(node.environment);
	await testBytes(node.start, node.environment);
}

await core;
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed > 0 ? 1 : 0;
