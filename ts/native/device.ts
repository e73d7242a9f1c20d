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

export type DeviceChoice = {
	/** 'auto', 'cpu', 'cuda' or 'cuda:N'. */
	readonly device: string;
	/** Bytes of the device. */
	readonly maxDeviceMemory?: number;
};

/**
 * The device that was asked for; for 'auto' the first GPU, or else the CPU with the reason why.
 *
 * @throws FlabError ERR_NO_BACKEND, ERR_NO_DRIVER, ERR_OLD_DRIVER, ERR_NO_DEVICE, ERR_DEVICE_BUSY, ERR_DEVICE_UNSUPPORTED,
 * ERR_DEVICE_MEMORY, ERR_DEVICE_FAULT for a GPU that was named and can't be used
 */
export const chooseDevice = async (native: Native, {device, maxDeviceMemory}: DeviceChoice, signal?: AbortSignal): Promise<RunDevice> => {
	if (device === 'cpu') {
		return onCpu('it was asked for');
	}

	const index = Number(/^cuda:(\d+)$/.exec(device)?.[1] ?? 0);
	try {
		const opened = await openDevice(native, index, maxDeviceMemory, signal);
		const products = opened.fastProducts ? opened.products : `products by kernels of flab-pruner, slower: ${opened.products}`;
		return {name: `cuda:${index}`, reason: `${device === 'auto' ? 'a GPU that can be used' : 'it was asked for'}: ${opened.name}, ${products}`, opened, close: () => {
			native.closeDevice(opened.handle);
		}};
	} catch (error) {
		if (device === 'auto' && error instanceof FlabError && error.code !== 'ERR_ABORTED') {
			return onCpu(`no GPU can be used: ${error.message}`);
		}

		throw error;
	}
};

/** The GPUs of this machine. @throws FlabError that says why there are none */
export const listDevices = async (native: Native): Promise<readonly DeviceInfo[]> => runJob(() => native.listDevices(libraryPath()));

const onCpu = (reason: string): RunDevice => ({name: 'cpu', reason, close: () => undefined});

const openDevice = async (native: Native, index: number, maxMemory = 0, signal?: AbortSignal): Promise<OpenedDevice> =>
	runJob(() => native.openDevice({library: libraryPath(), index, products: process.env['FLAB_CUBLASLT'], maxMemory}), {signal});

// Beside the addon. FLAB_CUDA_LIBRARY names another, which the addon sees to.
const libraryPath = (): string => {
	const path = join(dirname(nativeFile()), 'flab_cuda.so');
	if (!process.env['FLAB_CUDA_LIBRARY'] && !existsSync(path)) {
		throw new FlabError('ERR_NO_BACKEND', `${path}: the library for GPUs is not there`, {file: path, hint: deviceHints['ERR_NO_BACKEND']});
	}

	return path;
};
