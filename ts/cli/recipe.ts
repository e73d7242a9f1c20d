import {readFile} from 'node:fs/promises';
import {dirname, isAbsolute, join} from 'node:path';
import {FlabError, badArgument, fileError} from '../errors.js';

/** Options as JSON has them, or flags make them; not checked yet. */
export type Unchecked = Readonly<Record<string, unknown>>;

/** Options in a file. Without a file there are none. */
export type Recipe = {readonly file?: string; readonly options: Unchecked};

/**
 * Reads the options of an API function from a JSON file. Relative paths in it are from its folder.
 *
 * @throws ERR_READ; ERR_BAD_ARGUMENT if it is not a JSON object: what is in that is not checked here
 */
export const readRecipe = async (file: string | undefined): Promise<Recipe> => {
	if (file === undefined) {
		return {options: {}};
	}

	const text = await readFile(file, 'utf8').catch((cause: unknown) => {
		throw fileError('read', file, cause);
	});
	const options = parse(text, file);
	if (!isObject(options)) {
		throw badArgument(file, 'an object with options', options, hint);
	}

	const found = (path: unknown): unknown => seenFrom(dirname(file), path);
	return {file, options: Object.fromEntries(Object.entries(options).map(([name, value]) => [name, pathNames.has(name) ? found(value) : value]))};
};

export const isObject = (value: unknown): value is Unchecked => typeof value === 'object' && value !== null && !Array.isArray(value);

const hint = 'The schemas in the package say what a recipe may hold (schemas/prune-options.json and the like).';

const parse = (text: string, file: string): unknown => {
	try {
		return JSON.parse(text.replace(/^\uFEFF/, ''));
	} catch (cause) {
		throw new FlabError('ERR_BAD_ARGUMENT', `${file}: expected JSON, got ${(cause as Error).message}`, {file, hint, cause});
	}
};

/** Options that are paths, or have them. */
const pathNames: ReadonlySet<string> = new Set(['model', 'out', 'plan', 'corpus', 'calibration', 'evaluation']);

// A path, a list of them, or an object with such a list. What is none of these stays, to be complained about.
const seenFrom = (folder: string, value: unknown): unknown => {
	if (typeof value === 'string') {
		return value === '' || isAbsolute(value) ? value : join(folder, value);
	}

	if (Array.isArray(value)) {
		return value.map(item => typeof item === 'string' ? seenFrom(folder, item) : item as unknown);
	}

	return isObject(value) && 'paths' in value ? {...value, paths: seenFrom(folder, value['paths'])} : value;
};
