import {existsSync} from 'node:fs';
import {dirname, join} from 'node:path';
import process from 'node:process';
import {FlabError} from '../errors.js';
import type {DeviceInfo, Native, OpenedDevice} from './contract.js';
import {deviceHints} from './deviceHints.js';
import {runJob} from './jobs.js';
import {nativeFile} from './load.js';

/** What a model runs on, and why it is this. */
export type RunDevice = {
	/** 'cpu' or 'cuda:N'. */
	readonly name: string;
	readonly reason: string;
	/** Absent: the CPU. */
	readonly opened?: OpenedDevice;
	readonly close: () => void;
};

/**
 * Opens a device, 'cpu', 'cuda' or 'cuda:N'; `maxMemory`: bytes of it that may be taken, 0 is all that is free. `reason`: why it is this one.
 *
 * @throws FlabError ERR_NO_BACKEND, ERR_NO_DRIVER, ERR_OLD_DRIVER, ERR_NO_DEVICE, ERR_DEVICE_BUSY, ERR_DEVICE_UNSUPPORTED,
 * ERR_DEVICE_MEMORY, ERR_DEVICE_FAULT for a GPU that can't be used
 */
export const openRunDevice = async (native: Native, device: string, maxMemory: number, reason: string, signal?: AbortSignal): Promise<RunDevice> => {
	if (device === 'cpu') {
		return {name: 'cpu', reason, close: () => undefined};
	}

	const index = Number(/^cuda:(\d+)$/.exec(device)?.[1] ?? 0);
	const opened = await runJob(() => native.openDevice({library: libraryPath(), index, products: process.env['FLAB_CUBLASLT'], maxMemory}), {signal});
	const products = opened.fastProducts ? opened.products : `products by kernels of flab-pruner, slower: ${opened.products}`;
	return {name: `cuda:${index}`, reason: `${reason}: ${opened.name}, ${products}`, opened, close: () => {
		native.closeDevice(opened.handle);
	}};
};

/** How many GPUs there are. @throws FlabError that says why there are none */
export const countDevices = async (native: Native): Promise<number> => runJob(() => native.countDevices(libraryPath()));

/** The GPUs of this machine. @throws FlabError that says why there are none */
export const listDevices = async (native: Native): Promise<readonly DeviceInfo[]> => runJob(() => native.listDevices(libraryPath()));

// Beside the addon. FLAB_CUDA_LIBRARY names another, which the addon sees to.
const libraryPath = (): string => {
	const path = join(dirname(nativeFile()), 'flab_cuda.so');
	if (!process.env['FLAB_CUDA_LIBRARY'] && !existsSync(path)) {
		throw new FlabError('ERR_NO_BACKEND', `${path}: the library for GPUs is not there`, {file: path, hint: deviceHints['ERR_NO_BACKEND']});
	}

	return path;
};
