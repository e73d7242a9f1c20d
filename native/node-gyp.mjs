#!/usr/bin/env node
// Stands in for node-gyp under prebuildify (--node-gyp): the same build as everywhere, without node-gyp's downloads.
import {spawnSync} from 'node:child_process';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const result = spawnSync(process.execPath, [join(dirname(fileURLToPath(import.meta.url)), 'install.mjs'), '--build'], {stdio: 'inherit'});
process.exit(result.status ?? 1);
