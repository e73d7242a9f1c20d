import {lstat} from 'node:fs/promises';
import {fileError, FlabError} from '../errors.js';
import {listFolder, templateFolder} from './sidefiles.js';

/** Whether anything is at a path, a dangling link included. @throws `ERR_WRITE` if that can't be found out */
export const isThere = async (path: string): Promise<boolean> => (await statusOf(path)) !== undefined;

/**
 * Accepts a path for an output that nothing is at, or with `force` what nobody misses: an empty folder, or a checkpoint.
 *
 * A checkpoint is a folder with config.json and *.safetensors and without folders of its own, but for that of the chat templates: what
 * has more in it (.git, other checkpoints, somebody's work) is not for us to delete.
 *
 * @throws `ERR_OUTPUT_EXISTS`, naming what is there
 */
export const refuseExisting = async (path: string, force: boolean): Promise<void> => {
	const found = await describeExisting(path);
	if (found === undefined || (force && found.replaceable)) {
		return;
	}

	throw new FlabError('ERR_OUTPUT_EXISTS', `${path}: expected nothing at the output's path${force ? ', an empty folder or a checkpoint' : ''}, got ${found.what}`, {
		file: path,
		hint: found.replaceable
			? 'Choose another output folder, or use --force to replace it.'
			: `Choose another output folder, or remove what is there yourself: --force replaces only an empty folder, or one with config.json, *.safetensors and no folder but ${templateFolder}.`,
	});
};

type Existing = {readonly what: string; readonly replaceable: boolean};

const describeExisting = async (path: string): Promise<Existing | undefined> => {
	const found = await statusOf(path);
	if (found === undefined) {
		return undefined;
	}

	if (!found.isDirectory()) {
		return {what: found.isFile() ? 'a file' : found.isSymbolicLink() ? 'a link' : 'neither a file nor a folder', replaceable: false};
	}

	const names = await listFolder(path).catch(() => undefined);
	if (names === undefined) {
		return {what: 'a folder that can\'t be read', replaceable: false};
	}

	const others = names.filter(name => name.endsWith('/') && name !== `${templateFolder}/`);
	const isCheckpoint = names.includes('config.json') && names.some(name => name.endsWith('.safetensors'));
	if (names.length === 0 || (isCheckpoint && others.length === 0)) {
		return {what: names.length === 0 ? 'an empty folder' : 'a checkpoint', replaceable: true};
	}

	return {what: isCheckpoint ? `a checkpoint with ${listed(others)} in it` : `a folder with ${listed(names)}`, replaceable: false};
};

const shownNames = 3;

const listed = (names: readonly string[]): string =>
	[...names.slice(0, shownNames), ...names.length > shownNames ? [`${names.length - shownNames} more`] : []].join(', ');

const statusOf = async (path: string) => lstat(path).catch((cause: NodeJS.ErrnoException) => {
	if (cause.code === 'ENOENT') {
		return undefined;
	}

	throw fileError('write', path, cause);
});
