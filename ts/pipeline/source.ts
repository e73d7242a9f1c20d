import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {stat} from 'node:fs/promises';
import {basename, join} from 'node:path';
import {readCheckpoint} from '../checkpoint/read.js';
import type {CheckpointFiles} from '../checkpoint/read.js';
import {fileError, throwIfAborted} from '../errors.js';
import {layoutOf} from '../families/layout.js';
import type {ModelLayout} from '../families/layout.js';
import {nativeModel} from '../families/nativeModel.js';
import type {MappedFile, ModelHandle, Native} from '../native/contract.js';
import {guarded, mapFile} from '../native/jobs.js';
import {loadNative} from '../native/load.js';
import type {PlanSource} from '../plan/schema.js';
import type {Control} from '../progress.js';

/** A checkpoint whose files are read and understood, and its weights mapped. */
export type Source = {
	readonly checkpoint: CheckpointFiles;
	readonly layout: ModelLayout;
	readonly native: Native;
	/** The mapping of a weight file; each file is mapped once. */
	readonly map: (path: string) => MappedFile;
	/** The decoder over the weights; opened on first use, once for each way to compute. */
	readonly model: (compute: 'f32' | 'bf16') => ModelHandle;
};

/** Limits what the process takes from now on, threads of the pool and bytes of memory; without a number, lifts the limit. */
export const limitResources = ({threads, maxMemory}: {readonly threads?: number; readonly maxMemory?: number}): void => {
	const native = loadNative();
	native.limitThreads(threads ?? 0);
	native.limitMemory(maxMemory ?? 0);
};

/** Opens a checkpoint folder. */
export const openSource = async (dir: string): Promise<Source> => {
	const checkpoint = await readCheckpoint(dir);
	const layout = layoutOf(checkpoint);
	const native = loadNative();
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

	return {checkpoint, layout, native, map, model};
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

/** What a plan says about the checkpoint that it is for: sizes, and the SHA-256 of every file that it depends on. */
export const describeSource = async ({checkpoint, layout}: Source, {signal, onProgress}: Control): Promise<PlanSource> => {
	const {dir, shards, sideFiles} = checkpoint;
	const names = ['config.json', ...sideFiles.tokenizer.filter(name => name === 'tokenizer.json'), ...shards.map(({path}) => basename(path))];
	const sizes = await Promise.all(names.map(async name => sizeOf(join(dir, name))));
	const total = sizes.reduce((sum, size) => sum + size, 0);
	const files: Record<string, {bytes: number; sha256: string}> = {};
	let before = 0;
	for (const [place, name] of names.entries()) {
		const sha256 = await hashFile(join(dir, name), signal, done => {
			onProgress?.({phase: 'hash', done: before + done, total, unit: 'bytes'});
		});
		files[name] = {bytes: sizes[place]!, sha256};
		before += sizes[place]!;
	}

	const {layers, width, ffnWidth, vocabulary, queryHeads, kvHeads, headWidth} = layout.spec;
	return {
		family: layout.family.name,
		config: {layers, width, ffnWidth, vocabulary, queryHeads, kvHeads, headWidth, tied: layout.tied, dtypes: [...dtypesOf(layout)]},
		files,
	};
};

const sizeOf = async (path: string): Promise<number> => {
	try {
		return (await stat(path)).size;
	} catch (cause) {
		throw fileError('read', path, cause);
	}
};

const hashFile = async (path: string, signal: AbortSignal | undefined, onBytes: (done: number) => void): Promise<string> => {
	const hash = createHash('sha256');
	let done = 0;
	for await (const chunk of chunksOf(path)) {
		throwIfAborted(signal);
		hash.update(chunk);
		done += chunk.length;
		onBytes(done);
	}

	return hash.digest('hex');
};

// Its own function, so that only errors of reading become errors of the file.
async function * chunksOf(path: string): AsyncGenerator<Buffer> {
	try {
		yield * createReadStream(path, {highWaterMark: 1 << 20}) as AsyncIterable<Buffer>;
	} catch (cause) {
		throw fileError('read', path, cause);
	}
}
