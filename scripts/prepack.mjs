#!/usr/bin/env node
// Refuses to pack without the prebuilt binaries: whoever installed that would need a compiler, and nobody would be told before.
//     PACK_WITHOUT_PREBUILDS=1 npm pack    packs all the same

import {existsSync} from 'node:fs';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {publishedBinaries} from './binaries.mjs';

// npm also packs what it installs from a repository, and builds that from source.
const isInstalled = ['install', 'ci'].includes(process.env.npm_command);
const missing = publishedBinaries.filter(file => !existsSync(fileURLToPath(new URL(`../${file}`, import.meta.url))));
if (missing.length > 0 && !isInstalled && process.env.PACK_WITHOUT_PREBUILDS !== '1') {
	console.error(`flab-pruner: expected ${missing.join(', ')} to be packed, found none of them.\nnpm run prebuilds makes them, the one for GPUs where there is nvcc. PACK_WITHOUT_PREBUILDS=1 packs all the same: what is missing is built where it is installed, or not there.`);
	process.exit(1);
}
