import type {DeviceInfo, Native} from '../native/contract.js';
import {listDevices, openRunDevice} from '../native/device.js';
import type {Diagnosis} from './diagnosis.js';

type Cuda = Diagnosis['cuda'];

/** The GPUs of this machine, each opened for a moment, or why there are none. */
export const diagnoseCuda = async (native: Native | undefined): Promise<Cuda> => {
	if (!native) {
		return unusable('unknown: the addon is not loaded');
	}

	try {
		const devices = [];
		for (const info of await listDevices(native)) {
			devices.push(await diagnoseDevice(native, info));
		}

		const usable = devices.filter(({usable}) => usable).length;
		const found = `${devices.length} ${devices.length === 1 ? 'device' : 'devices'} found, ${usable} usable`;
		return usable > 0 ? {state: 'usable', reason: `${found}; runs use the first that has room for the model, unless --device says otherwise`, devices} : {...unusable(found), devices};
	} catch (error) {
		return unusable(`${(error as Error).message}; everything is computed on the CPU`);
	}
};

const unusable = (reason: string): Cuda => ({state: 'not usable', reason, devices: []});

const diagnoseDevice = async (native: Native, {index, name, computeCapability, memoryBytes, availableBytes, problem}: DeviceInfo): Promise<Cuda['devices'][number]> => {
	const device = `cuda:${index}`;
	const known = {device, name, computeCapability, memoryBytes, availableBytes};
	if (problem !== undefined) {
		return {...known, products: problem, usable: false};
	}

	try {
		const opened = await openRunDevice(native, device, 0, 'for a moment');
		opened.close();
		return {...known, products: opened.opened!.products, usable: true};
	} catch (error) {
		return {...known, products: (error as Error).message, usable: false};
	}
};
