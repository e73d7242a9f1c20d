import {access, constants, rename, rm, stat, writeFile} from 'node:fs/promises';
import {dirname, extname, resolve} from 'node:path';
import process from 'node:process';
import {makeFolders, removeFolders} from '../checkpoint/folders.js';
import {FlabError, fileError} from '../errors.js';
import {reportToHtml} from '../report/html.js';
import {reportToMarkdown} from '../report/markdown.js';
import {reportToJson, type Reportable} from '../report/report.js';

const renderers: Readonly<Record<string, (report: Reportable) => string>> = {'.json': reportToJson, '.md': reportToMarkdown, '.html': reportToHtml};

/** The complaint about the name of a report file, if there is one. */
export const reportComplaints = (file: string | undefined): readonly string[] =>
	file === undefined || extname(file).toLowerCase() in renderers ? [] : [`--report: expected a file name that ends in ${Object.keys(renderers).join(', ')}, got ${JSON.stringify(file)}`];

/** Writes a report in the form that the file's name asks for. @throws ERR_WRITE */
export const writeReport = async (report: Reportable, file: string): Promise<void> => writeText(file, renderers[extname(file).toLowerCase()]!(report));

/**
 * Refuses a file that could not be written, before the work begins. Folders that are not there are made when it is written; one that the work
 * itself makes (`out`) is no reason.
 *
 * @throws ERR_WRITE
 */
export const checkFolderOf = async (file: string | undefined, out?: string): Promise<void> => {
	if (file === undefined) {
		return;
	}

	const folder = dirname(resolve(file));
	if (out !== undefined && folder === resolve(out)) {
		return;
	}

	try {
		await access(await nearestFolder(folder), constants.W_OK);
	} catch (error) {
		throw fileError('write', file, error);
	}
};

/** The folder itself or the first above it that is there. */
const nearestFolder = async (folder: string): Promise<string> => {
	const found = await stat(folder).catch((error: NodeJS.ErrnoException) => {
		if (error.code === 'ENOENT' && dirname(folder) !== folder) {
			return undefined;
		}

		throw error;
	});
	if (found === undefined) {
		return nearestFolder(dirname(folder));
	}

	if (!found.isDirectory()) {
		throw Object.assign(new Error(`${folder} is no directory`), {code: 'ENOTDIR'});
	}

	return folder;
};

/** Accepts a file that is not there, or with `force` one that is. @throws ERR_OUTPUT_EXISTS */
export const refuseExisting = async (file: string, force: boolean): Promise<void> => {
	const found = await stat(file).catch(() => undefined);
	if (found?.isDirectory()) {
		throw new FlabError('ERR_OUTPUT_EXISTS', `${file}: expected no such file, got a folder`, {file, hint: 'Name a file.'});
	}

	if (found !== undefined && !force) {
		throw new FlabError('ERR_OUTPUT_EXISTS', `${file}: expected no such file, got one`, {file, hint: 'Choose another name, or pass --force to replace it.'});
	}
};

/** Writes a text so that the file is never seen half-written; missing folders are made. @throws ERR_WRITE */
export const writeText = async (file: string, text: string): Promise<void> => {
	const temporary = `${file}.${process.pid}.tmp`;
	const created: string[] = [];
	try {
		await makeFolders(dirname(resolve(file)), created);
		await writeFile(temporary, text);
		await rename(temporary, file);
	} catch (error) {
		await rm(temporary, {force: true});
		await removeFolders(created);
		throw fileError('write', file, error);
	}
};
