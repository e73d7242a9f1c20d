// The tarball installs with each package manager in an empty folder, on a machine that has node, npm and sh and nothing to build with.

import {existsSync} from 'node:fs';
import {readdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {tinyPlace} from '../e2e/checkpoints.js';
import {emptyFolder, onlyNode, run, succeed, which} from './processes.js';
import {beginProject, install, works} from './project.js';
import {tool, worked} from './registry.js';
import {pack} from './tarball.js';
import type {Tarball} from './tarball.js';

let tarball: Tarball;
let path: string;

test.before(async () => {
	tarball = await pack(await emptyFolder());
	path = await onlyNode();
});

for (const flags of [[], ['--ignore-scripts']]) {
	test(`npm install ${flags.join(' ')}: two packages come along, the addon loads, nothing is built, the command line prunes`, async t => {
		const folder = await emptyFolder();
		await beginProject(folder);
		if (!await worked(t, await install(folder, tarball.file, path, flags))) {
			return;
		}

		const installed = await readdir(join(folder, 'node_modules'));
		t.deepEqual(installed.filter(name => !name.startsWith('.')).sort(), ['flab-pruner', 'node-gyp-build', 'tokenizers']);
		t.false(existsSync(join(folder, 'node_modules/flab-pruner/build')));
		await works(t, folder, tarball.version, path);

		const {model, corpus, calibration, out} = await tinyPlace(t, 'qwen2-tied');
		await succeed(join(folder, 'node_modules/.bin/flab-pruner'), ['prune', model, '--out', out, '--corpus', corpus, '--calibration', calibration, '--vocab-multiple', '1', '--drop-layers', '1'], {cwd: folder, path});
		t.true(existsSync(join(out, 'model.safetensors')));
	});
}

test('pnpm add', async t => {
	const pnpm = await tool(t, 'pnpm', '10.34.9');
	if (pnpm === undefined) {
		return;
	}

	const folder = await emptyFolder();
	await beginProject(folder);
	const tools = Object.fromEntries(['dirname', 'sed', 'uname'].map(name => [name, which(name)!])); // what pnpm's command files call
	const pathOfPnpm = await onlyNode(tools);
	if (await worked(t, await run(process.execPath, [join(pnpm, 'bin/pnpm.cjs'), 'add', '--store-dir', join(folder, '.store'), tarball.file], {cwd: folder, path: pathOfPnpm}))) {
		t.true(existsSync(join(folder, 'node_modules/.pnpm')));
		await works(t, folder, tarball.version, pathOfPnpm);
	}
});

test('yarn install with the node-modules linker', async t => {
	const yarn = await tool(t, '@yarnpkg/cli-dist', '4.18.1');
	if (yarn === undefined) {
		return;
	}

	const folder = await emptyFolder();
	await beginProject(folder, {'flab-pruner': `file:${tarball.file}`});
	// Yarn does not read npm's settings.
	const {out: registry} = await succeed('npm', ['config', 'get', 'registry'], {cwd: folder});
	await writeFile(join(folder, '.yarnrc.yml'), `nodeLinker: node-modules\nenableTelemetry: false\nenableGlobalCache: false\nnpmRegistryServer: ${JSON.stringify(registry.trim())}\n`);
	if (await worked(t, await run(process.execPath, [join(yarn, 'bin/yarn.js'), 'install'], {cwd: folder, path}))) {
		t.true(existsSync(join(folder, 'node_modules/.yarn-state.yml')));
		await works(t, folder, tarball.version, path);
	}
});
