#!/usr/bin/env node
// Holds a packed tarball against test/package/files.txt, the binaries that it must have and the bounds of its size.
//     node scripts/tarball.mjs FILE                     as it is published
//     node scripts/tarball.mjs FILE BINARY ...          with these binaries, by their paths in the package
//     UPDATE_FILES=1 node scripts/tarball.mjs FILE      writes the list anew, for review

import {readFileSync, writeFileSync} from 'node:fs';
import {extname} from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {gunzipSync} from 'node:zlib';
import {publishedBinaries} from './binaries.mjs';

const listFile = fileURLToPath(new URL('../test/package/files.txt', import.meta.url));
// Bytes, packed and unpacked: of an addon (0.6 and 1.4 MB), of a library for GPUs (3.0 and 3.4 MB), of everything else (0.6 and 2.4 MB).
const most = {'.node': [700_000, 1_600_000], '.so': [3_600_000, 4_200_000], '': [640_000, 2_700_000]};

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

// Chunks are named by their content.
const nameInList = name => name.replace(/^(dist\/chunks\/)[\w-]+-[A-Z\d]{8}\.js$/, '$1NAME-HASH.js');

const [file, ...named] = process.argv.slice(2);
const wanted = named.length === 0 ? publishedBinaries : named;
const packed = readFileSync(file);
const files = filesOf(gunzipSync(packed));
const names = files.map(({name}) => name);
const binaries = names.filter(name => name.startsWith('prebuilds/'));
const list = [...new Set(names.filter(name => !binaries.includes(name)).map(nameInList))].sort();
if (process.env.UPDATE_FILES === '1') {
	writeFileSync(listFile, `${list.join('\n')}\n`);
}

const reviewed = readFileSync(listFile, 'utf8').trim().split('\n');
const difference = (sign, some, others) => some.filter(name => !others.includes(name)).map(name => `${sign} ${name}`);
const sizes = [packed.length, files.reduce((sum, {size}) => sum + size, 0)];
const bounds = sizes.map((_, place) => [...wanted.map(name => extname(name)), ''].reduce((sum, kind) => sum + most[kind][place], 0));
const problems = [
	...difference('+', list, reviewed),
	...difference('-', reviewed, list),
	...difference('+', binaries, wanted),
	...difference('-', wanted, binaries),
	...['packed', 'unpacked'].flatMap((what, place) => sizes[place] > bounds[place] ? [`expected at most ${bounds[place]} bytes ${what}, got ${sizes[place]}`] : []),
];
console.log(`${file}: ${files.length} files, ${sizes[0]} bytes packed, ${sizes[1]} unpacked`);
if (problems.length > 0) {
	console.error(`${problems.join('\n')}\nIf that is meant: npm run build, then UPDATE_FILES=1 npx ava test/package/files.test.ts, and review test/package/files.txt`);
	process.exit(1);
}
