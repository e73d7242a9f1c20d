// What the tests of the package take from the npm registry: package managers, other versions of Node. Kept in build/tools
// between runs.

import {existsSync} from 'node:fs';
import {mkdir, mkdtemp, rename, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {packageRoot} from '../../ts/native/root.js';
import {run} from './processes.js';
import type {Ended} from './processes.js';

const toolsFolder = join(packageRoot, 'build/tools');

/** Whether an installation has worked. Where the registry does not answer, the test says that it is skipped. */
export const worked = async (t: ExecutionContext, {code, out, errors}: Ended): Promise<boolean> => {
	if (code === 0) {
		return true;
	}

	const asked = await run('npm', ['view', 'node-gyp-build', 'version', '--prefer-online'], {cwd: packageRoot});
	if (asked.code === 0) {
		t.fail(`${out}${errors}`);
	} else {
		skip(t, `the npm registry does not answer: ${firstError(asked.errors)}`);
	}

	return false;
};

/** The folder of a package of the registry; undefined, and the test says that it is skipped, if it can't be had. */
export const tool = async (t: ExecutionContext, name: string, version: string): Promise<string | undefined> => {
	const folder = join(toolsFolder, `${name.replaceAll('/', '+')}@${version}`);
	const found = join(folder, 'node_modules', name);
	if (!existsSync(found)) {
		await mkdir(toolsFolder, {recursive: true});
		const making = await mkdtemp(join(toolsFolder, 'making-'));
		await writeFile(join(making, 'package.json'), '{"private": true}');
		if (!await worked(t, await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', `${name}@${version}`], {cwd: making}))) {
			await rm(making, {recursive: true});
			return undefined;
		}

		// another test may have been faster
		await rename(making, folder).catch(async () => rm(making, {recursive: true}));
	}

	return found;
};

const skip = (t: ExecutionContext, reason: string): void => {
	t.log(`skipped: ${reason}`);
	t.pass();
};

const firstError = (errors: string): string => errors.split('\n').find(line => line.startsWith('npm error')) ?? errors.trim();
