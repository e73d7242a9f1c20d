import {mkdir, readFile, writeFile} from 'node:fs/promises';
import {dirname, join, normalize} from 'node:path';
import test from 'ava';
import {packageRoot} from '../../ts/native/root.js';
import {emptyFolder, succeed} from './processes.js';
import {pack, prebuilt} from './tarball.js';
import type {Tarball} from './tarball.js';

const listFile = join(packageRoot, 'test/package/files.txt');
const mostPacked = 1_200_000; // of bytes, with one prebuilt binary
const mostUnpacked = 3_800_000;

let unpacked: string;
let tarball: Tarball;

test.before(async () => {
	const folder = await emptyFolder();
	tarball = await pack(folder);
	unpacked = join(folder, 'unpacked');
	await mkdir(unpacked);
	await succeed('tar', ['-xf', tarball.file, '--strip-components', '1', '-C', unpacked], {cwd: folder});
});

// The addon lies in a folder of its platform, and what several modules share in files that are named by their content.
const nameInList = (file: string): string => file === prebuilt ? 'prebuilds/PLATFORM-ARCH/flab-pruner.glibc.node' : file.replace(/^(dist\/chunks\/)[\w-]+-[A-Z\d]{8}\.js$/, '$1NAME-HASH.js');

test('the tarball holds the listed files and nothing else, within the bounds of its size', async t => {
	const {files, size, unpackedSize} = tarball;
	const list = [...new Set(files.map(nameInList))];
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

const contentOf = async (file: string): Promise<string> => readFile(join(unpacked, file), 'utf8');

const captured = (text: string, pattern: RegExp): readonly string[] => [...text.matchAll(pattern)].map(([, capture]) => capture!);

test('every C++ file is one that the addon is built from, and the headers of Node-API are there', async t => {
	const {files} = tarball;
	const placeOf = (path: string, from: string): string => [normalize(join(dirname(from), path)), join('dist/include', path)].find(file => files.includes(file)) ?? join('native', path);
	const needed = new Set(captured(await contentOf('CMakeLists.txt'), /(native\/\w+\/\w+\.cc)/g).filter(name => !name.endsWith('testing.cc')));
	for (const file of needed) {
		for (const path of captured(await contentOf(file), /#include (?:"|<(?=napi|node_api))([^">]+)[">]/g)) {
			needed.add(placeOf(path, file));
		}
	}

	t.deepEqual([...needed].sort(), files.filter(name => /\.(cc|h)$/.test(name)));
});

test('the declarations are one file that needs no other', async t => {
	t.deepEqual(tarball.files.filter(file => file.endsWith('.d.ts')), ['dist/index.d.ts']);
	t.deepEqual(captured(await contentOf('dist/index.d.ts'), /((?:from|import\()\s*['"][^'"]+['"])/g), []);
});

test('every package that the files have something of is named with its licence, and no other', async t => {
	const code = await Promise.all(tarball.files.filter(file => file.endsWith('.js')).map(contentOf));
	// esbuild says above each module where it is from
	const inCode = captured(code.join('\n'), /^\s*\/\/ node_modules\/((?:@[^/\n]+\/)?[^/\n]+)\//gm);
	const named = captured(await contentOf('dist/THIRD_PARTY_LICENSES'), /^-{80}\n\n(\S+) \d+\.\d+\.\d+ \([\w.-]+\)\n\n\S/gm);
	t.deepEqual([...named].sort(), [...new Set([...inCode, 'node-addon-api', 'node-api-headers'])].sort());
});
