import {stat} from 'node:fs/promises';
import {join, resolve} from 'node:path';
import {fileError, FlabError} from '../errors.js';
import {readJsonObject, type JsonFile, type JsonObject} from './json.js';
import type {Shard, TensorEntry} from './safetensors.js';
import {readWeights} from './shards.js';
import {listSideFiles, type SideFiles} from './sidefiles.js';

/** A checkpoint's folder, read and checked, but for the tensors' values. */
export type CheckpointFiles = {
	/** Absolute. */
	readonly dir: string;
	readonly config: JsonObject;
	/** config.json as it stands, for `formatJson`. */
	readonly configText: string;
	readonly generationConfig?: JsonObject;
	readonly generationConfigText?: string;
	readonly shards: readonly Shard[];
	/** Every tensor by name, in the order of shards and of their data. */
	readonly tensors: ReadonlyMap<string, TensorEntry>;
	/** "metadata" of model.safetensors.index.json. */
	readonly indexMetadata?: JsonObject;
	readonly sideFiles: SideFiles;
	/** What is not: see `FileList`. */
	readonly leftBehind: readonly string[];
};

/**
 * Reads a Hugging Face checkpoint: config.json, generation_config.json, the safetensors headers and the list of other
 * files. Links to files (as in the Hugging Face cache) are followed.
 *
 * @throws `ERR_READ` (missing folder or file), `ERR_BAD_FILE` (damaged), `ERR_BAD_CONFIG` (quantised weights)
 */
export const readCheckpoint = async (dir: string): Promise<CheckpointFiles> => {
	const folder = resolve(dir);
	await expectFolder(folder);
	const config = await readJsonObject(join(folder, 'config.json'), 'Name a folder with a whole Hugging Face checkpoint: config.json, tokenizer and safetensors.');
	refuseQuantised(config.value, folder);
	const generation = await readOptional(join(folder, 'generation_config.json'));
	const {files, ...weights} = await readWeights(folder);
	return {
		dir: folder,
		config: config.value,
		configText: config.text,
		generationConfig: generation?.value,
		generationConfigText: generation?.text,
		...weights,
		...await listSideFiles(folder, files),
	};
};

const expectFolder = async (dir: string): Promise<void> => {
	const found = await stat(dir).catch(cause => {
		throw fileError('read', dir, cause);
	});
	if (!found.isDirectory()) {
		throw new FlabError('ERR_READ', `${dir}: expected a folder with a checkpoint, got a file`, {file: dir, hint: 'Name the folder that holds config.json.'});
	}
};

const readOptional = async (path: string): Promise<JsonFile | undefined> => {
	const isThere = await stat(path).then(() => true, (cause: NodeJS.ErrnoException) => cause.code !== 'ENOENT');
	return isThere ? readJsonObject(path) : undefined;
};

const refuseQuantised = (config: JsonObject, dir: string): void => {
	const quantisation = config['quantization_config'];
	if (quantisation !== undefined && quantisation !== null) {
		const file = join(dir, 'config.json');
		const method = (quantisation as {quant_method?: unknown}).quant_method;
		throw new FlabError('ERR_BAD_CONFIG', `${file}: expected weights that are not quantised, got a quantization_config${typeof method === 'string' ? ` (${method})` : ''}`, {
			file,
			hint: 'Prune the checkpoint that was quantised, then quantise the result.',
		});
	}
};
