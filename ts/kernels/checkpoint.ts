/// <reference lib="esnext.disposable" preserve="true" />
import {withCaller} from '../caller.js';
import {readCheckpoint} from '../checkpoint/read.js';
import type {TensorEntry} from '../checkpoint/safetensors.js';
import {Words, badArgument} from '../errors.js';
import type {MappedFile} from '../native/contract.js';
import {mapFile} from '../native/jobs.js';
import type {Matrix, TensorData} from './matrix.js';

/** A tensor in a mapped file. `data` is the file's memory, not a copy (unless the file places it at an odd offset). */
export type MappedTensor = Matrix & {
	readonly name: string;
	/** As safetensors names it: F32, BF16, ... */
	readonly dtype: string;
	/** Gives its memory back to the system. `data` is not to be used any more: it reads the file again, without what was written to it. */
	[Symbol.dispose](): void;
};

/** A checkpoint's tensors, ready to be read. */
export type Checkpoint = {
	/** Absolute path of the folder. */
	readonly dir: string;
	/** Content of config.json. */
	readonly config: Readonly<Record<string, unknown>>;
	/** Names of all tensors, in the order of the files. */
	readonly names: readonly string[];
	/**
	 * A tensor by name, mapped on first use. Writing to its data changes this process's copy of the memory, never the file.
	 * The mapping lives as long as any data taken from it.
	 *
	 * @throws ERR_BAD_ARGUMENT if there is no tensor of that name or the checkpoint is closed, ERR_READ
	 */
	tensor(name: string): MappedTensor;
	/**
	 * Gives the memory of all its tensors back to the system; no more can be taken. Data that was taken is not to be used any more: it
	 * reads the file again. `using` and `await using` call it.
	 */
	close(): void;
	[Symbol.dispose](): void;
	[Symbol.asyncDispose](): Promise<void>;
};

/**
 * Opens a Hugging Face checkpoint folder of any architecture: reads and checks config.json and the headers of all safetensors
 * files; weights are mapped into memory when they are asked for.
 *
 * @throws ERR_READ, ERR_BAD_FILE, ERR_BAD_CONFIG (quantised weights)
 */
export const openCheckpoint = withCaller(async (dir: string): Promise<Checkpoint> => {
	if (typeof dir !== 'string' || dir === '') {
		throw badArgument('dir', 'the folder of a checkpoint', dir);
	}

	const checkpoint = await readCheckpoint(dir);
	const files = new Map<string, MappedFile>();
	let closed = false;
	const close = (): void => {
		closed = true;
		for (const file of files.values()) {
			file.discard(0, file.bytes);
		}

		files.clear();
	};

	return {
		dir: checkpoint.dir,
		config: checkpoint.config,
		names: [...checkpoint.tensors.keys()],
		tensor(name) {
			if (closed) {
				throw badArgument('checkpoint', 'one that is open', new Words('one that was closed'), 'Take its tensors before close(), or before the end of the block that has `using`.');
			}

			const entry = checkpoint.tensors.get(name);
			if (entry === undefined) {
				throw badArgument('name', 'the name of a tensor of the checkpoint', name, 'See `names`.');
			}

			const file = files.get(entry.path) ?? mapFile(entry.path);
			files.set(entry.path, file);
			return {
				name,
				dtype: entry.dtype,
				shape: entry.shape,
				data: dataOf(entry, file),
				[Symbol.dispose]() {
					file.discard(entry.begin, entry.begin + entry.bytes);
				},
			};
		},
		close,
		[Symbol.dispose]: close,
		async [Symbol.asyncDispose]() {
			close();
		},
	};
});

type DataConstructor = {readonly BYTES_PER_ELEMENT: number; new (buffer: ArrayBuffer): TensorData};

// Dtypes that are not here (8-bit floats, packed ones) are bytes.
const constructors: Readonly<Record<string, DataConstructor>> = {
	F32: Float32Array,
	F64: Float64Array,
	F16: Uint16Array,
	BF16: Uint16Array,
	I8: Int8Array,
	I16: Int16Array,
	U16: Uint16Array,
	I32: Int32Array,
	U32: Uint32Array,
	I64: BigInt64Array,
	U64: BigUint64Array,
};

const dataOf = ({dtype, begin, bytes}: TensorEntry, file: MappedFile): TensorData => {
	const constructor = constructors[dtype] ?? Uint8Array;
	const view = file.view(begin, begin + bytes);
	return new constructor(begin % constructor.BYTES_PER_ELEMENT === 0 ? view : view.slice(0));
};
