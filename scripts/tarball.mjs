#!/usr/bin/env node
// Holds a packed tarball against test/package/files.txt, the prebuilt binaries that it must have and the bounds of its size.
//     node scripts/tarball.mjs FILE                     as it is published: linux-x64 and linux-arm64
//     node scripts/tarball.mjs FILE linux-x64           with the binary of one platform
//     UPDATE_FILES=1 node scripts/tarball.mjs FILE      writes the list anew, for review

import {readFileSync, writeFileSync} from 'node:fs';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {gunzipSync} from 'node:zlib';
import {platforms, prebuiltFiles} from './platforms.mjs';

const listFile = fileURLToPath(new URL('../test/package/files.txt', import.meta.url));
// Bytes: of everything else, and of each binary. One is 0.6 MB packed, 1.4 MB unpacked.
const most = {packed: [640_000, 700_000], unpacked: [2_500_000, 1_600_000]};

/** Names and sizes of the files in a tar: headers of 512 bytes, each followed by the content in blocks of 512. */
const filesOf = tar => {
	const files = [];
	for (let begin = 0; begin < tar.length && tar[begin] !== 0;) {
		const field = (at, length) => tar.toString('utf8', begin + at, begin + at + length).replace(/\0.*$/s, '');
		const size = Number.parseInt(field(124, 12), 8);
		const prefix = field(345, 155);
		// Folders and the like have types of their own.
		if (['0', ''].includes(field(156, 1))) {
			files.push({name: `${prefix === '' ? '' : `${prefix}/`}${field(0, 100)}`.replace(/^package\//, ''), size});
		}

		begin += 512 * (1 + Math.ceil(size / 512));
	}

	return files;
};

// The list has one name for all binaries, and for chunks that are named by their content.
const nameInList = name => name
	.replace(/^prebuilds\/[^/]+\/flab-pruner\.glibc\.node$/, 'prebuilds/PLATFORM-ARCH/flab-pruner.glibc.node')
	.replace(/^(dist\/chunks\/)[\w-]+-[A-Z\d]{8}\.js$/, '$1NAME-HASH.js');

const [file, ...named] = process.argv.slice(2);
const wanted = prebuiltFiles(named.length === 0 ? platforms : named);
const packed = readFileSync(file);
const files = filesOf(gunzipSync(packed));
const names = files.map(({name}) => name);
const list = [...new Set(names.map(nameInList))].sort();
if (process.env.UPDATE_FILES === '1') {
	writeFileSync(listFile, `${list.join('\n')}\n`);
}

const reviewed = readFileSync(listFile, 'utf8').trim().split('\n');
const sizes = {packed: packed.length, unpacked: files.reduce((sum, {size}) => sum + size, 0)};
const binaries = names.filter(name => name.startsWith('prebuilds/'));
const problems = [
	...list.filter(name => !reviewed.includes(name)).map(name => `+ ${name}`),
	...reviewed.filter(name => !list.includes(name)).map(name => `- ${name}`),
	...wanted.filter(name => !names.includes(name)).map(name => `- ${name}`),
	...binaries.filter(name => !wanted.includes(name)).map(name => `+ ${name}`),
	...Object.entries(most)
		.map(([what, [base, each]]) => ({what, bound: base + each * wanted.length}))
		.filter(({what, bound}) => sizes[what] > bound)
		.map(({what, bound}) => `expected at most ${bound} bytes ${what}, got ${sizes[what]}`),
];
console.log(`${file}: ${files.length} files, ${sizes.packed} bytes packed, ${sizes.unpacked} unpacked`);
if (problems.length > 0) {
	console.error(`${[...new Set(problems)].join('\n')}\nIf that is meant: npm run build, then UPDATE_FILES=1 npx ava test/package/files.test.ts, and review test/package/files.txt`);
	process.exit(1);
}
