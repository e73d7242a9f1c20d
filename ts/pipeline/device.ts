import {FlabError} from '../errors.js';
import type {ModelHandle} from '../native/contract.js';
import {countDevices, openRunDevice} from '../native/device.js';
import type {RunDevice} from '../native/device.js';
import type {Plan} from '../plan/schema.js';
import type {Source} from './source.js';

/** A model on the device of a run. */
export type PlacedModel = {readonly model: ModelHandle; readonly device: RunDevice};

/** Where a model is wanted. */
export type Placing = {
	/** 'auto', 'cpu', 'cuda' or 'cuda:N'. */
	readonly device: string;
	/** Bytes of the device; absent: all that is free. */
	readonly maxDeviceMemory?: number;
	readonly compute: 'f32' | 'bf16';
	/** Throws ERR_MEMORY or ERR_DEVICE_MEMORY where there is no room for what will be done with it. */
	readonly check: (placed: PlacedModel) => void;
	readonly signal?: AbortSignal;
};

/** Opens the device and the model on it for `work`, and lets go of the device's memory afterwards, whatever happens. */
export const withModel = async <Result>(source: Source, placing: Placing, work: (placed: PlacedModel) => Promise<Result>): Promise<Result> => {
	const placed = placing.device === 'auto' ? await placeAnywhere(source, placing) : await place(source, placing, placing.device, 'it was asked for');
	try {
		return await work(placed);
	} finally {
		letGo(source, placed);
	}
};

/** What a plan says about the device that its numbers come from; nothing about the CPU. */
export const describeDevice = ({opened}: RunDevice): Pick<Plan, 'device'> => opened ? {device: {name: opened.name, products: opened.products}} : {};

// The first GPU that can be used and has room; else the CPU, with what each lacks. What is wrong with the model is wrong on the CPU too, and told there.
const placeAnywhere = async (source: Source, placing: Placing): Promise<PlacedModel> => {
	const reasons: string[] = [];
	const attempt = async <Result>(what: () => Promise<Result>): Promise<Result | undefined> => {
		try {
			return await what();
		} catch (error) {
			if (!(error instanceof FlabError) || error.code === 'ERR_ABORTED') {
				throw error;
			}

			reasons.push(error.message);
			return undefined;
		}
	};

	const count = await attempt(async () => countDevices(source.native)) ?? 0;
	for (let index = 0; index < count; index++) {
		const others = reasons.length > 0 ? ` (others can't: ${reasons.join('; ')})` : '';
		const placed = await attempt(async () => place(source, placing, `cuda:${index}`, `a GPU that can be used${others}`));
		if (placed) {
			return placed;
		}
	}

	return place(source, placing, 'cpu', `no GPU can be used: ${reasons.join('; ') || 'there is none'}`);
};

const place = async (source: Source, {maxDeviceMemory = 0, compute, check, signal}: Placing, name: string, reason: string): Promise<PlacedModel> => {
	const device = await openRunDevice(source.native, name, maxDeviceMemory, reason, signal);
	let model: ModelHandle | undefined;
	try {
		model = device.opened ? source.modelOn(device.opened.handle, compute) : source.model(compute);
		check({device, model});
		return {device, model};
	} catch (error) {
		letGo(source, {device, model});
		throw error;
	}
};

// A model on the CPU is the source's.
const letGo = ({native}: Source, {device, model}: {readonly device: RunDevice; readonly model?: ModelHandle}): void => {
	if (device.opened && model) {
		native.closeModel(model);
	}

	device.close();
};
