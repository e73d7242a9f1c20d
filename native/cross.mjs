// The cross build for Linux on arm64: CMake's tree, and a build of one of its targets.

import {spawnSync} from 'node:child_process';
import {availableParallelism} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

export const tree = join(root, 'build', 'cmake-arm64');

/** Tools of the cross compiler by their plain names. */
export const tool = name => `aarch64-linux-gnu-${name}`;

export const hasCompiler = () => spawnSync(tool('g++'), ['--version']).status === 0;

/** Ends the process where CMake fails. */
export const build = (target, ...options) => {
	// An outer make's job server must not reach the inner one.
	const {MAKEFLAGS, MFLAGS, MAKELEVEL, ...env} = process.env;
	const toolchain = `-DCMAKE_TOOLCHAIN_FILE=${join(root, 'native', 'aarch64-linux-gnu.cmake')}`;
	for (const args of [
		['-S', root, '-B', tree, toolchain, '-DCMAKE_BUILD_TYPE=Release', ...options],
		['--build', tree, '--target', target, '-j', String(availableParallelism())],
	]) {
		const {status, error} = spawnSync('cmake', args, {stdio: 'inherit', env});
		if (status !== 0) {
			console.error(`flab-pruner: cmake ${args.join(' ')}: ${error?.message ?? `ended with ${status}`}`);
			process.exit(1);
		}
	}
};
