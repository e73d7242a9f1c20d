import type {Dirent} from 'node:fs';
import {readdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {fileError} from '../errors.js';

/** Files that are carried over beside weights, config.json and generation_config.json; names relative to the checkpoint's folder. */
export type SideFiles = {
	/** Files that say how text becomes ids: to be rewritten, or copied if the vocabulary stays. */
	readonly tokenizer: readonly string[];
	/** The model card, README.md. */
	readonly card?: string;
	/** Copied as they are: licence, notices, custom code, preprocessor configs and the like. */
	readonly other: readonly string[];
};

/** All files of a checkpoint that are neither weights nor configs. */
export type FileList = {
	readonly sideFiles: SideFiles;
	/** Not carried over: weights in other formats, other sets of weights, training state, folders, hidden files. Folders end in "/". */
	readonly leftBehind: readonly string[];
};

/** What the tokenizer libraries read: Hugging Face, SentencePiece, tiktoken, Tekken; and the chat template. */
const tokenizerFile = /^(tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|vocab\.(json|txt)|merges\.txt|tokenizer\.model(\..*)?|(spiece|sentencepiece\.bpe)\.model|.*\.tiktoken|tekken\.json|chat_template\.(jinja|json))$/;

/** Where transformers keeps the chat templates beyond the default one: the only folder that is carried over. */
export const templateFolder = 'additional_chat_templates';

/** Weights or training state, whichever library wrote them; and the dimensions that the original code reads beside them. */
const weightFile = /\.(bin|pt|pth|ckpt|gguf|ggml|onnx|onnx_data|h5|msgpack|safetensors|npz|npy|pkl|ot|tflite|mlmodel|nemo|tar|gz|zip)$|\.index\.json$|^params\.json$|^(trainer_state|training_args)\b/i;

const handled = new Set(['config.json', 'generation_config.json']);

/**
 * Sorts the files of a checkpoint's folder into those that are carried over and those that are not. `weights` are the
 * names of the files that were read as weights, the index included.
 *
 * @throws `ERR_READ`
 */
export const listSideFiles = async (dir: string, weights: ReadonlySet<string>): Promise<FileList> => {
	const names = (await listFolder(dir)).filter(name => !handled.has(name) && !weights.has(name));
	const templates = names.includes(`${templateFolder}/`) ? await listFolder(join(dir, templateFolder)) : [];
	const carried = names.filter(name => !isLeftBehind(name));
	const sideFiles = {
		tokenizer: [...carried.filter(name => tokenizerFile.test(name)), ...templates.filter(name => name.endsWith('.jinja')).map(name => `${templateFolder}/${name}`)],
		card: carried.find(name => name === 'README.md'),
		other: carried.filter(name => !tokenizerFile.test(name) && name !== 'README.md'),
	};
	return {sideFiles, leftBehind: names.filter(name => isLeftBehind(name) && name !== `${templateFolder}/`)};
};

const isLeftBehind = (name: string): boolean => name.endsWith('/') || name.startsWith('.') || weightFile.test(name);

/** Sorted names, folders (and whatever is no file) with a "/" behind; links are followed. */
export const listFolder = async (dir: string): Promise<string[]> => {
	try {
		const entries = await readdir(dir, {withFileTypes: true});
		const names = await Promise.all(entries.map(async entry => ((await isFile(dir, entry)) ? entry.name : `${entry.name}/`)));
		return names.sort();
	} catch (cause) {
		throw fileError('read', dir, cause);
	}
};

const isFile = async (dir: string, entry: Dirent): Promise<boolean> =>
	entry.isFile() || (entry.isSymbolicLink() && await stat(join(dir, entry.name)).then(found => found.isFile(), () => false));
