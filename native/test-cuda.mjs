// Tests of the library for GPUs without one: the emulator's own, then every operation and whole models on the emulator, operations in
// two orders of threads, and products once more by a cuBLASLt that computes on the emulator. Ends with "N passed, N failed" for each run.
// The benchmark is built too: scripts/gpu-check.sh is tried with it.
//
//   node native/test-cuda.mjs [part of a title ...]

import {spawnSync} from 'node:child_process';
import {availableParallelism} from 'node:os';
import {join} from 'node:path';
import {configuration, environment, root, tree} from './test-tree.mjs';

const run = (command, args, env = {}) => {
	const {status, signal, error} = spawnSync(command, args, {cwd: root, stdio: 'inherit', env: {...environment, ...env}});
	if (status !== 0) {
		console.error(`native/test-cuda.mjs: ${command} ${args.join(' ')}: ${error?.message ?? signal ?? `ended with ${status}`}`);
	}

	return status === 0;
};

const build = run('cmake', [...configuration, '--log-level=WARNING'])
	&& run('cmake', ['--build', tree, '-j', String(availableParallelism()), '--', '--quiet']);
const words = process.argv.slice(2);
const test = (titles, env) => run(join(tree, 'tests', 'flab_backend_tests'), titles, {FLAB_CUDA_LIBRARY: join(tree, 'flab_cuda.so'), ...env});
process.exitCode = build && [
	run(join(tree, 'tests', 'flab_emulator_tests'), []),
	test(words, {FLAB_PRODUCTS: '', FLAB_EMULATED_SEED: '1'}),
	test([...words, '-device:'], {FLAB_PRODUCTS: '', FLAB_EMULATED_SEED: '2'}),
	test(words.length > 0 ? words : ['matmul', 'products'], {FLAB_PRODUCTS: join(tree, 'emulated', 'fake_cublaslt.so')}),
].every(Boolean) ? 0 : 1;
