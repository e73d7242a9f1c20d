// The package as it is packed, with this machine's addon as its prebuilt binary.

import {copyFile, cp, mkdir, readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {nativeFile} from '../../ts/native/load.js';
import {packageRoot} from '../../ts/native/root.js';
import {run, succeed} from './processes.js';

export type Tarball = {
	readonly file: string;
	readonly version: string;
	/** Bytes, packed and unpacked. */
	readonly size: number;
	readonly unpackedSize: number;
	readonly files: readonly string[];
};

/** Name that `npm run prebuilds` gives the addon. */
export const prebuilt = `prebuilds/${process.platform}-${process.arch}/flab-pruner.glibc.node`;

const notPackedFrom = new Set(['.git', 'build', 'node_modules', 'prebuilds', 'test', '.venv']);

/** Packs a copy of the checkout into `folder`, with the addon as a prebuilt binary unless that is to be missing. */
export const pack = async (folder: string, {withPrebuilt = true} = {}): Promise<Tarball> => {
	const copy = join(folder, 'checkout');
	for (const name of (await readdir(packageRoot)).filter(name => !notPackedFrom.has(name))) {
		await cp(join(packageRoot, name), join(copy, name), {recursive: true});
	}

	if (withPrebuilt) {
		await putPrebuilt(copy);
	}

	const {out} = await succeed('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {cwd: copy});
	const [{filename, version, size, unpackedSize, files}] = JSON.parse(out) as [Omit<Tarball, 'files' | 'file'> & {filename: string; files: ReadonlyArray<{path: string}>}];
	return {file: join(folder, filename), version, size, unpackedSize, files: files.map(({path}) => path).sort()};
};

// As `npm run prebuilds` would.
const putPrebuilt = async (folder: string): Promise<void> => {
	const file = join(folder, prebuilt);
	await mkdir(join(file, '..'), {recursive: true});
	await copyFile(nativeFile(), file);
	// as prebuildify does; where there is no strip, the file is only larger
	await run('strip', ['--strip-all', file], {cwd: folder});
};
