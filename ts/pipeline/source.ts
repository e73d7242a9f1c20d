import {readCheckpoint} from '../checkpoint/read.js';
import type {CheckpointFiles} from '../checkpoint/read.js';
import {layoutOf} from '../families/layout.js';
import type {ModelLayout} from '../families/layout.js';
import {nativeModel} from '../families/nativeModel.js';
import type {DeviceHandle, MappedFile, ModelHandle, Native} from '../native/contract.js';
import {guarded, mapFile} from '../native/jobs.js';
import {limitedNative} from '../native/limits.js';
import type {Limits} from '../native/limits.js';
import {loadNative} from '../native/load.js';
import type {PlanSource} from '../plan/schema.js';

/** A checkpoint whose files are read and understood, and its weights mapped. */
export type Source = {
	readonly checkpoint: CheckpointFiles;
	readonly layout: ModelLayout;
	/** The addon, under the limits of the run. */
	readonly native: Native;
	/** The mapping of a weight file; each file is mapped once. */
	readonly map: (path: string) => MappedFile;
	/** The decoder over the weights, on the CPU; opened on first use, once for each way to compute. */
	readonly model: (compute: 'f32' | 'bf16') => ModelHandle;
	/** The same on a device, each time anew: to be closed. */
	readonly modelOn: (device: DeviceHandle, compute: 'f32' | 'bf16') => ModelHandle;
};

/** Threads for work outside the addon: as many as its pool may take. */
export const threadsFor = ({native}: Source, threads: number | undefined): number => Math.min(native.threads, threads ?? native.threads);

/** Opens a checkpoint folder for a run with these limits. */
export const openSource = async (dir: string, limits: Limits = {}): Promise<Source> => {
	const checkpoint = await readCheckpoint(dir);
	const layout = layoutOf(checkpoint);
	const native = limitedNative(loadNative(), limits);
	const files = new Map<string, MappedFile>();
	const map = (path: string): MappedFile => {
		const file = files.get(path) ?? mapFile(path);
		files.set(path, file);
		return file;
	};

	const models = new Map<string, ModelHandle>();
	const model = (compute: 'f32' | 'bf16'): ModelHandle => {
		const opened = models.get(compute) ?? guarded(() => native.openModel(nativeModel(layout, map, compute)));
		models.set(compute, opened);
		return opened;
	};

	const modelOn = (device: DeviceHandle, compute: 'f32' | 'bf16'): ModelHandle => guarded(() => native.openModel(nativeModel(layout, map, compute, device)));
	return {checkpoint, layout, native, map, model, modelOn};
};

/** How products are computed when the caller leaves it open: as the weights are stored, where the decoder can. */
export const resolveCompute = ({layout}: Source, compute: 'auto' | 'f32' | 'bf16'): 'f32' | 'bf16' =>
	compute === 'auto' ? (dtypesOf(layout)[0] === 'BF16' ? 'bf16' : 'f32') : compute;

/** Dtypes of the weights, most bytes first. */
export const dtypesOf = ({tensors}: ModelLayout): readonly string[] => {
	const bytes = new Map<string, number>();
	for (const {entry} of tensors) {
		bytes.set(entry.dtype, (bytes.get(entry.dtype) ?? 0) + entry.bytes);
	}

	return [...bytes].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([dtype]) => dtype);
};

/** What a plan says about the checkpoint that it is for, but for its files. */
export const describeSource = ({layout}: Source): Omit<PlanSource, 'files'> => {
	const {layers, width, ffnWidth, vocabulary, queryHeads, kvHeads, headWidth} = layout.spec;
	return {
		family: layout.family.name,
		config: {layers, width, ffnWidth, vocabulary, queryHeads, kvHeads, headWidth, tied: layout.tied, dtypes: [...dtypesOf(layout)]},
	};
};
