// The library for GPUs, flab_cuda.so, made with nvcc and checked.
//
//   node native/cuda.mjs [folder]      into build/Release, or beside a prebuilt addon
//
// Without nvcc it says so, and makes none. FLAB_CUDA_ARCHITECTURES=90-real makes it for one GPU alone, in a fraction of the time.

import {spawnSync} from 'node:child_process';
import {cpSync, mkdirSync, statSync} from 'node:fs';
import {availableParallelism} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tree = join(root, 'build', 'cuda');
const library = join(tree, 'flab_cuda.so');
/** 2.34: RHEL 9, Ubuntu 22.04, Debian 12. */
export const newestGlibc = 34;

export const hasNvcc = () => spawnSync('nvcc', ['--version']).status === 0;

/** What is wrong with the library; undefined if nothing. It needs no library of CUDA: the runtime is in it, the rest is opened when it is there. */
const problem = () => {
	const symbols = which => spawnSync('nm', ['--dynamic', which, library], {encoding: 'utf8'}).stdout?.trim().split('\n').map(line => line.trim().split(/\s+/).at(-1)) ?? [];
	const exported = symbols('--defined-only');
	if (String(exported) !== 'flab_backend') {
		return `it to export flab_backend only, got ${exported.join(', ')}`;
	}

	const glibc = Math.max(...symbols('--undefined-only').map(name => Number(/@GLIBC_2\.(\d+)/.exec(name)?.[1] ?? 0)));
	if (glibc > newestGlibc) {
		return `symbols of glibc 2.${newestGlibc} or older, got some of 2.${glibc}`;
	}

	const foreign = symbols('--undefined-only').filter(name => /^(?:cu|cuda|cublas)[A-Z]/.test(name));
	return foreign.length > 0 ? `it to need nothing of CUDA to be opened, got ${foreign.join(', ')}` : undefined;
};

/** Builds the library; ends the process where that fails. */
export const buildCuda = () => {
	// An outer make's job server must not reach the inner one.
	const {MAKEFLAGS, MFLAGS, MAKELEVEL, FLAB_CUDA_ARCHITECTURES, ...env} = process.env;
	const architectures = FLAB_CUDA_ARCHITECTURES ? [`-DCMAKE_CUDA_ARCHITECTURES=${FLAB_CUDA_ARCHITECTURES}`] : ['-UCMAKE_CUDA_ARCHITECTURES'];
	for (const args of [
		['-S', root, '-B', tree, '-DFLAB_ADDON=OFF', '-DFLAB_CUDA=ON', '-DCMAKE_BUILD_TYPE=Release', ...architectures],
		['--build', tree, '--target', 'flab_cuda', '-j', String(availableParallelism())],
	]) {
		const {status, error} = spawnSync('cmake', args, {stdio: 'inherit', env});
		if (status !== 0) {
			console.error(`flab-pruner: the library for GPUs could not be built: cmake ${args.join(' ')}: ${error?.message ?? `ended with ${status}`}`);
			process.exit(1);
		}
	}

	const wrong = problem();
	if (wrong) {
		console.error(`${library}: expected ${wrong}`);
		process.exit(1);
	}

	return library;
};

/** Builds the library into a folder, where there is nvcc. */
export const installCuda = folder => {
	if (!hasNvcc()) {
		console.log('skipped: the library for GPUs, which is made with nvcc (CUDA 12.8 or newer), not found on PATH');
		return;
	}

	mkdirSync(folder, {recursive: true});
	const path = join(folder, 'flab_cuda.so');
	cpSync(buildCuda(), path);
	console.log(`${path}: ${statSync(path).size} bytes`);
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
	installCuda(process.argv[2] ?? join(root, 'build', 'Release'));
}
