// Programs that the tests of the package run, on machines that have only what is named.

import {execFile} from 'node:child_process';
import {accessSync, constants, rmSync} from 'node:fs';
import {mkdtemp, realpath, symlink} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {delimiter, join} from 'node:path';

export type Ended = {readonly code: number; readonly out: string; readonly errors: string};

export type Settings = {readonly cwd: string; readonly path?: string; readonly environment?: NodeJS.ProcessEnv};

/** Runs a program to its end, with `path` as its PATH and without what npm and the tests around it have set. */
export const run = async (file: string, parameters: readonly string[], {cwd, path = process.env['PATH'], environment = {}}: Settings): Promise<Ended> =>
	new Promise(resolve => {
		execFile(file, parameters, {cwd, env: {...outside(), ...impatient, PATH: path, ...environment}, maxBuffer: 1 << 26}, (error, out, errors) => {
			const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
			resolve({code, out, errors: code === -1 ? `${errors}${error!.message}` : errors});
		});
	});

/** The same, for what must work. */
export const succeed = async (file: string, parameters: readonly string[], settings: Settings): Promise<Ended> => {
	const ended = await run(file, parameters, settings);
	if (ended.code !== 0) {
		throw new Error(`${file} ${parameters.join(' ')}: ended with ${ended.code}\n${ended.out}${ended.errors}`);
	}

	return ended;
};

// npm tells its scripts its settings in npm_...: only what says how the registry is reached is kept.
const outside = (): NodeJS.ProcessEnv => Object.fromEntries(Object.entries(process.env).filter(([name]) =>
	!/^(npm_|pnpm_|yarn_|FLAB_|NODE_OPTIONS|PREBUILDS_ONLY|INIT_CWD|CI$)/i.test(name) || /^npm_config_(.*registry|cache|cafile|userconfig|.*proxy)$/i.test(name)));

// npm and pnpm would try for minutes to reach a registry that is not there.
const impatient = {npm_config_fetch_retries: '1', npm_config_fetch_retry_mintimeout: '500', npm_config_fetch_retry_maxtimeout: '2000', npm_config_fetch_timeout: '60000'};

/** Where a program lies, as the shell would find it. */
export const which = (name: string): string | undefined => (process.env['PATH'] ?? '').split(delimiter).map(folder => join(folder, name)).find(file => {
	try {
		accessSync(file, constants.X_OK);
		return true;
	} catch {
		return false;
	}
});

const folders: string[] = [];

process.on('exit', () => {
	for (const folder of folders) {
		rmSync(folder, {recursive: true, force: true, maxRetries: 3});
	}
});

/** An empty folder outside of the checkout (within, modules that are missing would be found in the checkout); gone when the tests end. */
export const emptyFolder = async (): Promise<string> => {
	const folder = await realpath(await mkdtemp(join(tmpdir(), 'flab-package-')));
	folders.push(folder);
	return folder;
};

/** A folder to be PATH that has only node, npm and sh, and the programs named. */
export const onlyNode = async (others: Readonly<Record<string, string>> = {}): Promise<string> => {
	const folder = await emptyFolder();
	for (const [name, file] of Object.entries({node: process.execPath, npm: which('npm')!, sh: '/bin/sh', ...others})) {
		await symlink(file, join(folder, name));
	}

	return folder;
};
