// Builds the core's tests and runs them once with each instruction set that this processor has.
//
//   node native/test.mjs [part of a title ...] [-part of a title to leave out ...]

import {spawnSync} from 'node:child_process';
import {availableParallelism} from 'node:os';
import {join} from 'node:path';
import {exportsDataOnly, instructionSets} from './instruction-sets.mjs';
import {configuration, environment, root, tree} from './test-tree.mjs';

const tests = join(tree, 'tests', 'flab_core_tests');
const here = instructionSets[process.arch] ?? ['generic'];
const unavailable = 77; // exit status, see native/base/testing.cc

const build = args => {
	const {status, error, stdout, stderr} = spawnSync('cmake', args, {cwd: root, encoding: 'utf8', env: environment, maxBuffer: 1 << 28});
	if (status !== 0) {
		console.error(`${stdout ?? ''}${stderr ?? ''}`);
		console.error(`native/test.mjs: cmake ${args.join(' ')}: ${error?.message ?? `ended with ${status}`}`);
		process.exit(1);
	}
};

const passes = cpu => {
	const {status, signal, error} = spawnSync(tests, process.argv.slice(2), {stdio: 'inherit', env: {...environment, FLAB_CPU: cpu}});
	if (status === unavailable) {
		console.log(`skipped: the core's tests with FLAB_CPU=${cpu}, which this processor does not have`);
		return true;
	}

	if (status !== 0) {
		console.error(`native/test.mjs: the core's tests with FLAB_CPU=${cpu} ended with ${error?.message ?? signal ?? status}`);
	}

	return status === 0;
};

build(configuration);
build(['--build', tree, '--config', 'Release', '--target', 'flab_core_tests', '-j', String(availableParallelism())]);
process.exitCode = [...here.map(cpu => exportsDataOnly(cpu, tree)), ...here.map(passes)].every(Boolean) ? 0 : 1;
