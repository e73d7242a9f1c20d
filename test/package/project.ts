// A user's project that has the package installed, and what it does with it.

import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {packageRoot} from '../../ts/native/root.js';
import {run, succeed, which} from './processes.js';

/** A checkpoint that uses look at. */
export const tinyModel = join(packageRoot, 'test/fixtures/models/qwen2-tied');

/** The project of a folder: a package.json, and use.mjs. */
export const beginProject = async (folder: string, dependencies: Readonly<Record<string, string>> = {}): Promise<void> => {
	await writeFile(join(folder, 'package.json'), JSON.stringify({name: 'project', version: '1.0.0', private: true, dependencies}));
	await writeFile(join(folder, 'use.mjs'), `import * as flab from 'flab-pruner';\n${use}`);
};

/** Installs a tarball with npm, at the lowest priority: other tests look at the clock, and a build would take all cores. */
export const install = async (folder: string, tarball: string, path: string, flags: readonly string[] = []) =>
	run(which('nice')!, ['-n', '19', 'npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', ...flags, tarball], {cwd: folder, path});

/** A program that uses kernels, and the pipeline on a checkpoint; \`flab\` is the package. */
export const use = `
const {data} = await flab.sliceRows({data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [3, 2]}, [0, 2]);
const [nats] = await flab.klDivergence({data: Float32Array.of(0, 0), shape: [1, 2]}, {data: Float32Array.of(Math.log(3), 0), shape: [1, 2]});
const {family, parameters} = await flab.inspect({model: ${JSON.stringify(tinyModel)}});
const refusal = await flab.topK(Float32Array.of(1), 2).catch(error => error instanceof flab.FlabError && error.code);
console.log(JSON.stringify({kept: [...data], nats: nats.toFixed(6), family, parameters, refusal}));`;

/** What it prints. */
export const used = `${JSON.stringify({kept: [1, 2, 5, 6], nats: (0.5 * Math.log(4 / 3)).toFixed(6), family: 'qwen2', parameters: 15_384, refusal: 'ERR_BAD_ARGUMENT'})}\n`;

/** The package works in the project: as a module, and on the command line. */
export const works = async (t: ExecutionContext, folder: string, version: string, path: string, node = process.execPath): Promise<void> => {
	t.deepEqual(await succeed(node, ['use.mjs'], {cwd: folder, path}), {code: 0, out: used, errors: ''});
	const command = join(folder, 'node_modules/.bin/flab-pruner');
	t.is((await succeed(command, ['--version'], {cwd: folder, path})).out.trim(), version);
	const {out} = await succeed(command, ['inspect', tinyModel, '--json'], {cwd: folder, path});
	t.is((JSON.parse(out) as {parameters: number}).parameters, 15_384);
};
