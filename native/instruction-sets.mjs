// What the tests of the core know of instruction sets, here and under emulation.

import {spawnSync} from 'node:child_process';
import {join} from 'node:path';

/** Values of FLAB_CPU by process.arch. */
export const instructionSets = {x64: ['generic', 'avx2', 'avx512', 'avx512bf16'], arm64: ['generic', 'neon', 'neonbf16']};

/**
 * A function compiled for an instruction set that anyone else can call (an initialiser, a function of the standard
 * library that the linker took from here) would end a processor without that instruction set: data only.
 */
export const exportsDataOnly = (cpu, tree, nm = 'nm') => {
	const object = join(tree, 'CMakeFiles', 'flab_core.dir', 'native', 'cpu', `${cpu}.cc.o`);
	const {status, stdout} = spawnSync(nm, ['--defined-only', '--extern-only', '--demangle', object], {encoding: 'utf8'});
	if (status !== 0) {
		console.log(`skipped: whether native/cpu/${cpu}.cc exports functions, which ${nm} could not tell`);
		return true;
	}

	const functions = stdout.split('\n').filter(line => / [TtWwiu] /.test(line));
	if (functions.length > 0) {
		console.error(`native/cpu/${cpu}.cc: expected to export data only, got\n${functions.join('\n')}`);
	}

	return functions.length === 0;
};
