import {access, readdir} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';
import {describe, fileError, FlabError} from '../errors.js';
import {count, damaged} from './damaged.js';
import {isObject, readJsonObject, type JsonObject} from './json.js';
import {duplicateKey} from './jsonscan.js';
import {readHeader, type Shard, type TensorEntry} from './safetensors.js';

/** The weights of a checkpoint: every shard, every tensor, and the index if there is one. */
export type Weights = {
	/** In the order of their names. */
	readonly shards: readonly Shard[];
	/** In the order of shards and of their data. */
	readonly tensors: ReadonlyMap<string, TensorEntry>;
	/** "metadata" of the index. */
	readonly indexMetadata?: JsonObject;
	/** Names of the files that were read: the shards, and the index. */
	readonly files: ReadonlySet<string>;
};

const indexName = 'model.safetensors.index.json';
const singleName = 'model.safetensors';
const refetch = 'The checkpoint is damaged or incomplete: fetch it again.';

/**
 * Finds and reads the safetensors headers of a checkpoint: those that model.safetensors.index.json names, or
 * model.safetensors, or the only *.safetensors file there is.
 *
 * @throws `ERR_READ`, `ERR_BAD_FILE`
 */
export const readWeights = async (dir: string): Promise<Weights> => {
	const names = await readdir(dir).catch(cause => {
		throw fileError('read', dir, cause);
	});
	const index = names.includes(indexName) ? await readIndex(join(dir, indexName)) : undefined;
	if (index === undefined || isForOtherFiles(index, names)) {
		const file = singleFile(dir, names);
		const shards = [await readHeader(join(dir, file))];
		return {shards, tensors: collectTensors(shards), files: new Set([file])};
	}

	const {weightMap, metadata} = index;
	const files = [...new Set(Object.values(weightMap))].sort();
	const shards: Shard[] = [];
	for (const file of files) {
		shards.push(await readNamedShard(join(dir, file), weightMap));
	}

	const tensors = collectTensors(shards);
	checkIndex(join(dir, indexName), weightMap, tensors);
	return {shards, tensors, indexMetadata: metadata, files: new Set([indexName, ...files])};
};

/** The file of a checkpoint without an index. */
const singleFile = (dir: string, names: readonly string[]): string => {
	const candidates = names.filter(name => name.endsWith('.safetensors') && !name.startsWith('.')).sort();
	if (candidates.includes(singleName)) {
		return singleName;
	}

	if (candidates.length === 1) {
		return candidates[0]!;
	}

	if (candidates.length > 1) {
		throw new FlabError('ERR_BAD_FILE', `${dir}: expected ${indexName} or ${singleName}, got ${count(candidates.length)} other safetensors files (${candidates.slice(0, 3).join(', ')}${candidates.length > 3 ? ', ...' : ''})`, {
			file: dir,
			hint: `Fetch ${indexName}, which says which tensor is where.`,
		});
	}

	const other = names.filter(name => /\.(bin|pt|pth|gguf|h5|msgpack)$/.test(name)).sort();
	throw new FlabError('ERR_READ', `${dir}: expected weights as safetensors, got ${other.length === 0 ? 'none' : `only ${other.slice(0, 3).join(', ')}`}`, {
		file: dir,
		hint: other.length === 0 ? 'Name a folder with a whole Hugging Face checkpoint.' : 'Convert the checkpoint to safetensors: load it with transformers and call save_pretrained.',
	});
};

/** Beside an index that doesn't name it, transformers takes model.safetensors, and so do we. */
const isForOtherFiles = ({weightMap}: Index, names: readonly string[]): boolean =>
	names.includes(singleName) && !Object.values(weightMap).includes(singleName);

type Index = {readonly weightMap: Readonly<Record<string, string>>; readonly metadata?: JsonObject};

const readIndex = async (path: string): Promise<Index> => {
	const {value, text} = await readJsonObject(path);
	const {weight_map: weightMap, metadata} = value;
	if (!isObject(weightMap)) {
		throw damaged(path, `expected "weight_map" to be an object, got ${describe(weightMap)}`);
	}

	const duplicate = duplicateKey(text);
	if (duplicate !== undefined) {
		throw damaged(path, `${duplicate.length === 1 ? 'the key ' : ''}${JSON.stringify(duplicate.at(-1))} is there twice`);
	}

	for (const [tensor, file] of Object.entries(weightMap)) {
		// A name with a folder in it could lead anywhere on the machine.
		if (typeof file !== 'string' || file !== basename(file) || file.includes('\\') || !file.endsWith('.safetensors')) {
			throw damaged(path, `is said to be in ${describe(file)}, expected the name of a safetensors file in the same folder`, tensor);
		}
	}

	return {weightMap: weightMap as Readonly<Record<string, string>>, metadata: isObject(metadata) ? metadata : undefined};
};

const readNamedShard = async (path: string, weightMap: Readonly<Record<string, string>>): Promise<Shard> => {
	const isMissing = await access(path).then(() => false, (cause: NodeJS.ErrnoException) => cause.code === 'ENOENT');
	if (isMissing) {
		const [tensor] = Object.entries(weightMap).find(([, file]) => file === basename(path))!;
		throw new FlabError('ERR_BAD_FILE', `${join(dirname(path), indexName)}: names the shard ${basename(path)}, which is missing (it should hold ${JSON.stringify(tensor)})`, {file: path, tensor, hint: refetch});
	}

	return readHeader(path);
};

const collectTensors = (shards: readonly Shard[]): ReadonlyMap<string, TensorEntry> => {
	const tensors = new Map<string, TensorEntry>();
	for (const entry of shards.flatMap(shard => shard.tensors)) {
		const other = tensors.get(entry.name);
		if (other !== undefined) {
			throw damaged(entry.path, `is also in ${other.file}: expected each tensor in one shard`, entry.name, refetch);
		}

		tensors.set(entry.name, entry);
	}

	return tensors;
};

const checkIndex = (path: string, weightMap: Readonly<Record<string, string>>, tensors: ReadonlyMap<string, TensorEntry>): void => {
	for (const [name, file] of Object.entries(weightMap)) {
		const actual = tensors.get(name)?.file;
		if (actual !== file) {
			throw damaged(path, `is said to be in ${file}, ${actual === undefined ? 'which does not hold it' : `but it is in ${actual}`}`, name, refetch);
		}
	}

	for (const {name, file} of tensors.values()) {
		if (!Object.hasOwn(weightMap, name)) {
			throw damaged(path, `is in ${file}, but not in the index`, name, refetch);
		}
	}
};
