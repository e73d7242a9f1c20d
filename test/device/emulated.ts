import {existsSync} from 'node:fs';
import {join} from 'node:path';
import process from 'node:process';
import type {ExecutionContext} from 'ava';
import {runJob} from '../../ts/native/jobs.js';
import {loadNative} from '../../ts/native/load.js';
import type {OpenedDevice} from '../../ts/native/contract.js';
import {packageRoot} from '../../ts/native/root.js';

/** The library for GPUs on the emulator (native/test-cuda.mjs makes it), and the real one (native/cuda.mjs). */
export const emulatedLibrary = join(packageRoot, 'build/native-tests/flab_cuda.so');
export const realLibrary = join(packageRoot, 'build/cuda/flab_cuda.so');

/** Whether a library is there; says so where it is not. */
export const isBuilt = (t: ExecutionContext, library: string, how: string): boolean => {
	const built = existsSync(library);
	if (!built) {
		t.log(`skipped: ${library} is not there; ${how} makes it`);
		t.pass();
	}

	return built;
};

/** This process sees one GPU, the emulator's, from now on. False, said in the test, where it was not built. */
export const useEmulator = (t: ExecutionContext): boolean => {
	if (!isBuilt(t, emulatedLibrary, 'node native/test-cuda.mjs')) {
		return false;
	}

	process.env['FLAB_CUDA_LIBRARY'] = emulatedLibrary;
	return true;
};

/** The emulated GPU, to be closed. */
export const openEmulated = async (maxMemory = 0): Promise<OpenedDevice> => runJob(() => loadNative().openDevice({library: emulatedLibrary, index: 0, products: '', maxMemory}));
