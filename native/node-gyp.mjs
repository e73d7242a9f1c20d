#!/usr/bin/env node
// Stands in for node-gyp under prebuildify (see prebuilds.mjs): the same build as everywhere, without node-gyp's downloads.
// prebuildify moves what it finds in build/Release of the folder that this runs in.
import {spawnSync} from 'node:child_process';
import {cpSync, mkdirSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {build} from './cross.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

if (process.env.PREBUILD_ARCH === process.arch) {
	const {status} = spawnSync(process.execPath, [join(root, 'native', 'install.mjs'), '--build'], {stdio: 'inherit'});
	if (status !== 0) {
		process.exit(status ?? 1);
	}

	// A copy: the binary that a checkout runs with stays where it is.
	mkdirSync(join('build', 'Release'), {recursive: true});
	cpSync(join(root, 'build', 'Release', 'flab_pruner.node'), join('build', 'Release', 'flab_pruner.node'));
} else {
	build('flab_addon');
}
