// Builds the core's tests and runs them once with each instruction set that this processor has.
//
//   node native/test.mjs [part of a title]

import {spawnSync} from 'node:child_process';
import {availableParallelism} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tree = join(root, 'build', 'cmake-tests');
const tests = join(tree, 'tests', 'flab_core_tests');
const instructionSets = process.arch === 'x64' ? ['generic', 'avx2', 'avx512', 'avx512bf16'] : ['generic'];
const unavailable = 77; // exit status, see native/base/testing.cc

// An outer make's job server must not reach the inner one; an instruction set chosen outside must not reach the tests.
const {MAKEFLAGS, MFLAGS, MAKELEVEL, FLAB_CPU, ...environment} = process.env;

const build = args => {
	const {status, error, stdout, stderr} = spawnSync('cmake', args, {cwd: root, encoding: 'utf8', env: environment, maxBuffer: 1 << 28});
	if (status !== 0) {
		console.error(`${stdout ?? ''}${stderr ?? ''}`);
		console.error(`native/test.mjs: cmake ${args.join(' ')}: ${error?.message ?? `ended with ${status}`}`);
		process.exit(1);
	}
};

// A function compiled for an instruction set that anyone else can call (an initialiser, a function of the standard
// library that the linker took from here) would end a processor without that instruction set: data only.
const exportsDataOnly = cpu => {
	const object = join(tree, 'CMakeFiles', 'flab_core.dir', 'native', 'cpu', `${cpu}.cc.o`);
	const {status, stdout} = spawnSync('nm', ['--defined-only', '--extern-only', '--demangle', object], {encoding: 'utf8'});
	if (status !== 0) {
		console.log(`skipped: whether native/cpu/${cpu}.cc exports functions, which nm could not tell`);
		return true;
	}

	const functions = stdout.split('\n').filter(line => / [TtWwiu] /.test(line));
	if (functions.length > 0) {
		console.error(`native/cpu/${cpu}.cc: expected to export data only, got\n${functions.join('\n')}`);
	}

	return functions.length === 0;
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

build(['-S', root, '-B', tree, '-DFLAB_TESTS=ON', '-DFLAB_ADDON=OFF', '-DCMAKE_BUILD_TYPE=Release']);
build(['--build', tree, '--config', 'Release', '-j', String(availableParallelism())]);
process.exitCode = [...instructionSets.map(exportsDataOnly), ...instructionSets.map(passes)].every(Boolean) ? 0 : 1;
