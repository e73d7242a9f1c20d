import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {readHeader} from '../../ts/checkpoint/safetensors.js';
import {readCheckpoint} from '../../ts/checkpoint/read.js';
import {layoutOf} from '../../ts/families/layout.js';
import {nativeModel} from '../../ts/families/nativeModel.js';
import {mapFile} from '../../ts/native/jobs.js';
import {loadNative} from '../../ts/native/load.js';
import {packageRoot} from '../../ts/native/root.js';
import type {DeviceHandle, PackedTexts} from '../../ts/native/contract.js';

export const modelsFolder = join(packageRoot, 'test/fixtures/models');

/** Names of the tiny checkpoints that have numbers computed by transformers (test/oracle/make_models.py). */
export const modelNames = readdirSync(modelsFolder, {withFileTypes: true}).filter(entry => entry.isDirectory()).map(entry => entry.name);

const read: Readonly<Record<string, (buffer: ArrayBuffer) => number[]>> = {
	F32: buffer => [...new Float32Array(buffer)],
	F64: buffer => [...new Float64Array(buffer)],
	I64: buffer => [...new BigInt64Array(buffer)].map(Number),
};

/** Tensors of a reference file as numbers. */
export const readReference = async (path: string) => {
	const header = await readHeader(path);
	const file = mapFile(path);
	const entries = new Map(header.tensors.map(tensor => [tensor.name, tensor]));
	return {
		names: [...entries.keys()],
		shape: (name: string) => entries.get(name)!.shape,
		dtype: (name: string) => entries.get(name)!.dtype,
		values(name: string): number[] {
			const {begin, bytes, dtype} = entries.get(name)!;
			return read[dtype]!(file.view(begin, begin + bytes).slice(0));
		},
	};
};

export const openTiny = async (name: string, compute: 'f32' | 'bf16' = 'f32', device?: DeviceHandle) => {
	const layout = layoutOf(await readCheckpoint(join(modelsFolder, name)));
	const native = loadNative();
	return {
		native,
		spec: layout.spec,
		model: native.openModel(nativeModel(layout, mapFile, compute, device)),
		reference: await readReference(join(modelsFolder, name, 'reference.safetensors')),
	};
};

export const pack = (...texts: ReadonlyArray<readonly number[]>): PackedTexts => {
	const offsets = [0];
	for (const text of texts) {
		offsets.push(offsets.at(-1)! + text.length);
	}

	return {ids: Int32Array.from(texts.flat()), offsets: Int32Array.from(offsets)};
};

/** |a - b| relative to |b|, both as vectors. */
export const relativeError = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
	let difference = 0;
	let norm = 0;
	for (let i = 0; i < b.length; i++) {
		difference += (a[i]! - b[i]!) ** 2;
		norm += b[i]! ** 2;
	}

	return a.length === b.length ? Math.sqrt(difference / norm) : Number.NaN;
};
