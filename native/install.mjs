// Installs the native addon: a prebuilt binary if one loads here, else a build from source with CMake and a
// C++ compiler. Not through node-gyp: that would need Python and a download of Node's headers; the headers of
// Node-API come with the npm package node-api-headers.
//
//   node native/install.mjs            install (does nothing where a binary loads)
//   node native/install.mjs --build    build in any case

import {spawnSync} from 'node:child_process';
import {createRequire} from 'node:module';
import {availableParallelism} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);

const loads = () => {
	try {
		require('node-gyp-build')(root);
		return true;
	} catch {
		return false;
	}
};

const fail = message => {
	console.error(`flab-pruner: ${message}`);
	process.exit(1);
};

const run = (command, args) => {
	const result = spawnSync(command, args, {cwd: root, stdio: 'inherit'});
	if (result.error?.code === 'ENOENT') {
		fail(`no prebuilt binary for ${process.platform}-${process.arch}, and ${command} was not found to build one. Install cmake (3.20 or newer), make and g++ (12 or newer), then install again.`);
	}

	if (result.status !== 0) {
		fail(`building the native addon failed (${command} ended with ${result.status ?? result.signal}). It needs cmake 3.20, make and g++ 12 or newer.`);
	}
};

const build = () => {
	// An outer make's job server must not reach the inner one.
	for (const name of ['MAKEFLAGS', 'MFLAGS', 'MAKELEVEL']) {
		delete process.env[name];
	}

	const tree = join(root, 'build', 'cmake');
	run('cmake', ['-S', root, '-B', tree, '-DCMAKE_BUILD_TYPE=Release']);
	run('cmake', ['--build', tree, '--config', 'Release', '-j', String(availableParallelism())]);
};

if (process.argv.includes('--build') || !loads()) {
	build();
}
