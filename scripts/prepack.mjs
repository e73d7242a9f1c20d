#!/usr/bin/env node
// Refuses to pack without the prebuilt binaries: whoever installed that would need a compiler, and nobody would be told before.
//     PACK_WITHOUT_PREBUILDS=1 npm pack    packs all the same

import {existsSync} from 'node:fs';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {prebuiltFiles} from './platforms.mjs';

// npm also packs what it installs from a repository, and builds that from source.
const isInstalled = ['install', 'ci'].includes(process.env.npm_command);
const missing = prebuiltFiles().filter(file => !existsSync(fileURLToPath(new URL(`../${file}`, import.meta.url))));
if (missing.length > 0 && !isInstalled && process.env.PACK_WITHOUT_PREBUILDS !== '1') {
	console.error(`flab-pruner: expected ${missing.join(' and ')} to be packed, found none.\nnpm run prebuilds makes both; PACK_WITHOUT_PREBUILDS=1 packs without, for machines with a compiler.`);
	process.exit(1);
}
