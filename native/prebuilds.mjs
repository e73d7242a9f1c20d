// The addon for each architecture in prebuilds/linux-ARCH, made by prebuildify and checked.
//
//   node native/prebuilds.mjs x64 arm64

import {spawnSync} from 'node:child_process';
import {mkdirSync, readFileSync, rmSync, statSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import prebuildify from 'prebuildify';
import * as cross from './cross.mjs';
import {installCuda, newestGlibc} from './cuda.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const machines = {x64: 62, arm64: 183}; // EM_X86_64 and EM_AARCH64 of the ELF header
const entryPoints = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

const fail = message => {
	console.error(`flab-pruner: ${message}`);
	process.exit(1);
};

const isNative = arch => arch === process.arch;
const toolFor = (arch, name) => isNative(arch) ? name : cross.tool(name);

const requireCompiler = arch => {
	if (process.platform !== 'linux') {
		fail(`prebuilt binaries are made on Linux, this is ${process.platform}. Here npm run build builds from source.`);
	}

	if (!isNative(arch) && arch !== 'arm64') {
		fail(`the binary for linux-${arch} is made on a machine of that architecture, this is ${process.arch}.`);
	}

	if (!isNative(arch) && !cross.hasCompiler()) {
		fail(`${cross.tool('g++')}, which compiles for linux-${arch}, was not found. On Debian and Ubuntu: apt-get install g++-aarch64-linux-gnu. The binary for this machine alone: npm run prebuilds:${process.arch}`);
	}
};

const symbols = (arch, ...args) => {
	const {status, stdout, stderr, error} = spawnSync(toolFor(arch, 'nm'), ['--dynamic', ...args], {encoding: 'utf8'});
	if (status !== 0) {
		fail(error?.message ?? stderr);
	}

	return stdout.trim().split('\n').map(line => line.trim().split(/\s+/).at(-1));
};

/** What is wrong with a binary that would not load on a machine that it is meant for. */
const problem = (arch, path) => {
	const machine = readFileSync(path).readUInt16LE(18);
	if (machine !== machines[arch]) {
		return `machine ${machines[arch]} in its ELF header, got ${machine}`;
	}

	const exported = symbols(arch, '--defined-only', path).sort();
	if (String(exported) !== String(entryPoints)) {
		return `it to export ${entryPoints.join(' and ')} only, got ${exported.join(', ')}`;
	}

	const glibc = Math.max(...symbols(arch, '--undefined-only', path).map(name => Number(/@GLIBC_2\.(\d+)/.exec(name)?.[1] ?? 0)));
	return glibc > newestGlibc ? `symbols of glibc 2.${newestGlibc} or older, got some of 2.${glibc}` : undefined;
};

const architectures = process.argv.slice(2);
architectures.forEach(requireCompiler);
for (const arch of architectures) {
	const folder = isNative(arch) ? join(root, 'build', `prebuild-${arch}`) : cross.tree;
	mkdirSync(folder, {recursive: true});
	await promisify(prebuildify)({
		name: 'flab-pruner',
		arch,
		cwd: folder,
		out: root,
		napi: true,
		targets: ['20.19.0'],
		tagLibc: 'glibc',
		strip: true,
		stripBin: toolFor(arch, 'strip'),
		nodeGyp: join(root, 'native', 'node-gyp.mjs'),
	});
	const path = join(root, 'prebuilds', `linux-${arch}`, 'flab-pruner.glibc.node');
	const wrong = problem(arch, path);
	if (wrong) {
		rmSync(path);
		fail(`${path}: expected ${wrong}`);
	}

	console.log(`${path}: ${statSync(path).size} bytes`);
	// The one for GPUs lies beside it, where it can be made.
	if (arch === 'x64') {
		installCuda(dirname(path));
	}
}
