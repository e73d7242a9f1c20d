import {mkdir, readFile, writeFile} from 'node:fs/promises';
import {dirname, join, normalize} from 'node:path';
import test from 'ava';
import {packageRoot} from '../../ts/native/root.js';
import {emptyFolder, succeed} from './processes.js';
import {pack, prebuilt} from './tarball.js';
import type {Tarball} from './tarball.js';

const listFile = join(packageRoot, 'test/package/files.txt');
const mostPacked = 1_200_000; // of bytes, with one prebuilt binary
const mostUnpacked = 3_000_000;

let folder: string;
let tarball: Tarball;

test.before(async () => {
	folder = await emptyFolder();
	tarball = await pack(folder);
});

test('the tarball holds the listed files and nothing else, within the bounds of its size', async t => {
	const {files, size, unpackedSize} = tarball;
	const list = files.map(file => file === prebuilt ? 'prebuilds/PLATFORM-ARCH/flab-pruner.glibc.node' : file);
	t.log(`${files.length} files, ${size} bytes packed, ${unpackedSize} unpacked`);
	if (process.env['UPDATE_FILES'] === '1') {
		await writeFile(listFile, `${list.join('\n')}\n`);
	}

	const reviewed = (await readFile(listFile, 'utf8')).trim().split('\n');
	const unexpected = list.filter(file => !reviewed.includes(file)).map(file => `+ ${file}`);
	const missing = reviewed.filter(file => !list.includes(file)).map(file => `- ${file}`);
	t.deepEqual([...unexpected, ...missing], [], 'If that is meant: npm run build, then UPDATE_FILES=1 npx ava test/package/files.test.ts, and review test/package/files.txt');
	t.true(size <= mostPacked, `expected at most ${mostPacked} bytes packed, got ${size}`);
	t.true(unpackedSize <= mostUnpacked, `expected at most ${mostUnpacked} bytes unpacked, got ${unpackedSize}`);
});

// Follows what files import or include, from `begin` on.
const reached = async (folder: string, begin: readonly string[], targets: (file: string, text: string) => readonly string[]): Promise<ReadonlySet<string>> => {
	const seen = new Set(begin);
	for (const file of seen) {
		for (const target of targets(file, await readFile(join(folder, file), 'utf8'))) {
			seen.add(target);
		}
	}

	return seen;
};

const captured = (text: string, pattern: RegExp): readonly string[] => [...text.matchAll(pattern)].map(([, capture]) => capture!);

test('every declaration that the public types need is in it, and every C++ file is one that the addon is built from', async t => {
	const {file, files} = tarball;
	const unpacked = join(folder, 'unpacked');
	await mkdir(unpacked);
	await succeed('tar', ['-xf', file, '--strip-components', '1', '-C', unpacked], {cwd: folder});

	const declarations = await reached(unpacked, ['dist/index.d.ts'], (from, text) =>
		captured(text, /(?:from|import\()\s*['"](\.[^'"]+)\.js['"]/g).map(path => normalize(join(dirname(from), `${path}.d.ts`))));
	t.deepEqual([...declarations].filter(name => !files.includes(name)), []);

	const sources = captured(await readFile(join(unpacked, 'CMakeLists.txt'), 'utf8'), /(native\/\w+\/\w+\.cc)/g).filter(name => !name.endsWith('testing.cc'));
	const needed = await reached(unpacked, sources, (from, text) => captured(text, /#include "([^"]+)"/g).map(path => {
		const beside = normalize(join(dirname(from), path));
		return files.includes(beside) ? beside : join('native', path);
	}));
	t.deepEqual([...needed].sort(), files.filter(name => /\.(cc|h)$/.test(name)));
});
