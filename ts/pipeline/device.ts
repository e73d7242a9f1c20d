import type {ModelHandle} from '../native/contract.js';
import {chooseDevice} from '../native/device.js';
import type {DeviceChoice, RunDevice} from '../native/device.js';
import type {Plan} from '../plan/schema.js';
import type {Source} from './source.js';

/** A model on the device of a run. */
export type PlacedModel = {readonly model: ModelHandle; readonly device: RunDevice};

/** Opens the device and the model on it for `work`, and lets go of the device's memory afterwards, whatever happens. */
export const withModel = async <Result>(source: Source, choice: DeviceChoice, compute: 'f32' | 'bf16', signal: AbortSignal | undefined, work: (placed: PlacedModel) => Promise<Result>): Promise<Result> => {
	const device = await chooseDevice(source.native, choice, signal);
	const handle = device.opened?.handle;
	try {
		const model = handle ? source.modelOn(handle, compute) : source.model(compute);
		try {
			return await work({model, device});
		} finally {
			if (handle) {
				source.native.closeModel(model);
			}
		}
	} finally {
		device.close();
	}
};

/** What a plan says about the device that its numbers come from; nothing about the CPU. */
export const describeDevice = ({opened}: RunDevice): Pick<Plan, 'device'> => opened ? {device: {name: opened.name, products: opened.products}} : {};
