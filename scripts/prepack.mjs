#!/usr/bin/env node
// Refuses to publish without the prebuilt binaries: whoever installed that would need a compiler, and nobody would be told before.
// A tarball for oneself is only told what it lacks. (npm publish FILE.tgz runs no scripts: scripts/tarball.mjs checks the file.)

import {existsSync} from 'node:fs';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {publishedBinaries} from './binaries.mjs';

const missing = publishedBinaries.filter(file => !existsSync(fileURLToPath(new URL(`../${file}`, import.meta.url))));
// npm also packs what it installs from a repository, and builds that from source.
if (missing.length > 0 && !['install', 'ci'].includes(process.env.npm_command)) {
	const publishes = process.env.npm_command === 'publish';
	const names = missing.join(', ');
	console.error(publishes
		? `flab-pruner: expected ${names} to be published with the package, found none of them.`
		: `flab-pruner: packed without ${names}: what is missing is built where the package is installed, or not there.`);
	console.error('npm run prebuilds makes the binaries, the one for GPUs where there is nvcc.');
	process.exitCode = publishes ? 1 : 0;
}
