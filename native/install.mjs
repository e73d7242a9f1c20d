// Installs the native addon: does nothing where a prebuilt binary loads, else builds from source with CMake and a C++
// compiler. Not through node-gyp: that would need Python and a download of Node's headers; those of Node-API are in the package.
//
//   node native/install.mjs            install
//   node native/install.mjs --build    build in any case

import {spawnSync} from 'node:child_process';
import {rmSync} from 'node:fs';
import {createRequire} from 'node:module';
import {availableParallelism} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const {generator, howToGet, listed, missingTools} = require('./toolchain.cjs');

const again = process.argv.includes('--build');

/** Why the binary that is here can't be used; undefined if it can. */
const reason = () => {
	// A name that the addon does not know would be refused at load time.
	delete process.env.FLAB_CPU;
	try {
		const {version} = require('node-gyp-build')(root);
		const expected = require('../package.json').version;
		return version === expected ? undefined : `the binary is of flab-pruner ${version ?? '(an older version)'}, the package is ${expected}`;
	} catch (error) {
		return error.message.startsWith('No native build was found') ? `there is no prebuilt binary for ${process.platform}-${process.arch} in the package` : `the binary does not load: ${error.message.trim()}`;
	}
};

const fail = (...lines) => {
	console.error(lines.map(line => `flab-pruner: ${line}`).join('\n'));
	process.exit(1);
};

const run = args => {
	const {error, status, signal} = spawnSync('cmake', args, {cwd: root, stdio: 'inherit'});
	if (error || status !== 0) {
		fail(`building the native addon from source failed: cmake ${args[0] === '--build' ? 'could not build' : 'could not configure'} (${error?.message ?? signal ?? `exit code ${status}`}; its messages are above).`,
			'It needs cmake 3.20, make or ninja, and g++ 12, or newer ones.');
	}
};

const build = why => {
	if (process.platform === 'win32') {
		fail('Windows is not supported. In WSL 2, which is Linux, the package can be installed.');
	}

	const missing = missingTools();
	if (missing.length > 0) {
		fail(`${why}, so it must be built from source.`, `That needs ${listed(missing)}, not found on PATH.`, `Install ${missing.length > 1 ? 'them' : 'it'} (${howToGet(missing)}), then install flab-pruner again.`);
	}

	// An outer make's job server must not reach the inner one.
	for (const name of ['MAKEFLAGS', 'MFLAGS', 'MAKELEVEL']) {
		delete process.env[name];
	}

	const tree = join(root, 'build', 'cmake');
	if (!again) {
		// What a copied or moved installation brings along names the folder that it was made in, and CMake refuses it.
		rmSync(tree, {recursive: true, force: true});
	}

	run(['-S', root, '-B', tree, '-DCMAKE_BUILD_TYPE=Release', ...generator()]);
	run(['--build', tree, '--config', 'Release', '-j', String(availableParallelism())]);
};

const why = again ? 'a build was asked for' : reason();
if (why !== undefined) {
	build(why);
}
