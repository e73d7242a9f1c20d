import {readdir, realpath} from 'node:fs/promises';
import {basename, dirname, join, sep} from 'node:path';
import {FlabError} from '../errors.js';

/** What a run reads and an output must never harm. */
export type Sources = {
	/** Folder of the checkpoint. */
	readonly model: string;
	/** Other files and folders that the run reads: corpora, calibration data, a plan. */
	readonly inputs?: readonly string[];
};

/**
 * Refuses an output path that is, holds or lies in the model's folder, or that holds another input, a file that the model
 * links to, or the current directory: replacing the output would delete them. Links are resolved.
 *
 * @throws `ERR_BAD_ARGUMENT`
 */
export const protectSources = async (out: string, {model, inputs = []}: Sources): Promise<void> => {
	const target = await resolveLinks(out);
	const source = await resolveLinks(model);
	const refuse = (what: string): never => {
		throw new FlabError('ERR_BAD_ARGUMENT', `out: expected a folder apart from what is read, got ${out}, which ${what}`, {file: out, hint: 'Choose another output folder.'});
	};

	if (target === source) {
		refuse('is the model itself');
	}

	if (isInside(target, source)) {
		refuse(`lies in the model's folder ${source}`);
	}

	const linked = await readdir(source).then(names => names.map(name => join(source, name)), () => []);
	for (const path of [source, ...inputs, ...linked]) {
		const input = await resolveLinks(path);
		if (input === target || isInside(input, target)) {
			refuse(`${input === target ? 'is' : 'holds'} the input ${path}`);
		}
	}

	const current = await resolveLinks(process.cwd());
	if (current === target || isInside(current, target)) {
		refuse(`${current === target ? 'is' : 'holds'} the current directory`);
	}
};

const isInside = (path: string, folder: string): boolean => path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);

/** The path without links, as far as it exists. */
const resolveLinks = async (path: string): Promise<string> =>
	realpath(path).catch(async () => (dirname(path) === path ? path : join(await resolveLinks(dirname(path)), basename(path))));
