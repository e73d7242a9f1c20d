#!/usr/bin/env node
// Holds a packed tarball against test/package/files.txt, the binaries that it must have and the bounds of its size.
//     node scripts/tarball.mjs FILE                     as it is published
//     node scripts/tarball.mjs FILE BINARY ...          with these binaries, by their paths in the package
//     UPDATE_FILES=1 node scripts/tarball.mjs FILE      writes the list anew, for review

import {execFileSync} from 'node:child_process';
import {readFileSync, statSync, writeFileSync} from 'node:fs';
import {extname} from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {publishedBinaries} from './binaries.mjs';

const listFile = fileURLToPath(new URL('../test/package/files.txt', import.meta.url));
// Bytes, packed and unpacked: of an addon (0.6 and 1.4 MB), of a library for GPUs (2.1 and 3.0 MB), of everything else (0.6 and 2.4 MB).
const most = {'.node': [700_000, 1_600_000], '.so': [2_600_000, 3_600_000], '': [640_000, 2_700_000]};

/** Names and sizes of the files in a tarball. */
const filesOf = path => execFileSync('tar', ['--list', '--verbose', '--gzip', '--file', path], {encoding: 'utf8', env: {...process.env, LC_ALL: 'C'}})
	.split('\n')
	// -rw-r--r-- owner/group SIZE DATE TIME package/NAME
	.map(line => /^-\S+ +\S+ +(\d+) \S+ \S+ (?:\.\/)?package\/(?:\.\/)?(.+)$/.exec(line))
	.filter(match => match !== null)
	.map(([, size, name]) => ({name, size: Number(size)}));

// Chunks are named by their content.
const nameInList = name => name.replace(/^(dist\/chunks\/)[\w-]+-[A-Z\d]{8}\.js$/, '$1NAME-HASH.js');

const [file, ...named] = process.argv.slice(2);
const wanted = named.length === 0 ? publishedBinaries : named;
const files = filesOf(file);
const names = files.map(({name}) => name);
const binaries = names.filter(name => name.startsWith('prebuilds/'));
const list = [...new Set(names.filter(name => !binaries.includes(name)).map(nameInList))].sort();
if (process.env.UPDATE_FILES === '1') {
	writeFileSync(listFile, `${list.join('\n')}\n`);
}

const reviewed = readFileSync(listFile, 'utf8').trim().split('\n');
const difference = (sign, some, others) => some.filter(name => !others.includes(name)).map(name => `${sign} ${name}`);
const sizes = [statSync(file).size, files.reduce((sum, {size}) => sum + size, 0)];
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
