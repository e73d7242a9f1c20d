import {spawnSync} from 'node:child_process';
import {cp, mkdir, readFile, rm, writeFile} from 'node:fs/promises';
import {dirname, join, normalize} from 'node:path';
import test from 'ava';
import {packageRoot} from '../../ts/native/root.js';
import {emptyFolder, run, succeed} from './processes.js';
import {pack, prebuilt} from './tarball.js';
import type {Tarball} from './tarball.js';

let unpacked: string;
let tarball: Tarball;

test.before(async () => {
	const folder = await emptyFolder();
	tarball = await pack(folder);
	unpacked = join(folder, 'unpacked');
	await mkdir(unpacked);
	await succeed('tar', ['-xf', tarball.file, '--strip-components', '1', '-C', unpacked], {cwd: folder});
});

/** What the check of a tarball says, which the release runs on the one that is published. */
const check = async (file: string, binaries: readonly string[] = [], update = '') =>
	run(process.execPath, [join(packageRoot, 'scripts/tarball.mjs'), file, ...binaries], {cwd: packageRoot, environment: {UPDATE_FILES: update}});

test('the tarball holds the listed files and nothing else, within the bounds of its size', async t => {
	const {code, out, errors} = await check(tarball.file, [prebuilt], process.env['UPDATE_FILES']);
	t.log(out.trim());
	t.deepEqual([code, errors], [0, '']);
});

test('a tarball without a prebuilt binary, with a file too many or one too large does not pass', async t => {
	const published = await check(tarball.file);
	t.is(published.code, 1);
	t.regex(published.errors, /^- prebuilds\/linux-(?:x64|arm64)\/flab-pruner\.glibc\.node$/m);
	t.regex(published.errors, /^- prebuilds\/linux-x64\/flab_cuda\.so$/m);

	await writeFile(join(unpacked, 'dist/more.js'), 'x'.repeat(5_000_000));
	const file = join(dirname(unpacked), 'more.tgz');
	await succeed('tar', ['-czf', file, '--format=ustar', '--transform', 's,^\\.,package,', '.'], {cwd: unpacked});
	await rm(join(unpacked, 'dist/more.js'));
	const {code, errors} = await check(file, [prebuilt]);
	t.is(code, 1);
	t.regex(errors, /^\+ dist\/more\.js$/m);
	t.regex(errors, /^expected at most \d+ bytes unpacked, got \d+$/m);
});

test('publishing without the prebuilt binaries is refused, and packing says what the tarball lacks', async t => {
	const prepack = (command: string) => {
		const {status, stderr} = spawnSync(process.execPath, [join(copy, 'scripts/prepack.mjs')], {env: {...process.env, npm_command: command}, encoding: 'utf8'});
		return {status, stderr};
	};

	const copy = join(dirname(unpacked), 'scripts-only');
	await cp(join(packageRoot, 'scripts'), join(copy, 'scripts'), {recursive: true});
	const names = 'prebuilds/linux-x64/flab-pruner.glibc.node, prebuilds/linux-x64/flab_cuda.so, prebuilds/linux-arm64/flab-pruner.glibc.node';
	const refused = prepack('publish');
	t.is(refused.status, 1);
	t.true(refused.stderr.startsWith(`flab-pruner: expected ${names} to be published with the package, found none of them.\nnpm run prebuilds makes`), refused.stderr);
	const packed = prepack('pack');
	t.is(packed.status, 0);
	t.true(packed.stderr.startsWith(`flab-pruner: packed without ${names}: what is missing is built where`), packed.stderr);
	t.deepEqual(prepack('install'), {status: 0, stderr: ''});
	for (const name of names.split(', ')) {
		t.is(prepack('publish').status, 1, name);
		await mkdir(dirname(join(copy, name)), {recursive: true});
		await writeFile(join(copy, name), '');
	}

	t.deepEqual(prepack('publish'), {status: 0, stderr: ''});
	t.deepEqual(prepack('pack'), {status: 0, stderr: ''});
	const {scripts} = JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8')) as {readonly scripts: Readonly<Record<string, string>>};
	t.regex(scripts['prepack']!, /^node scripts\/prepack\.mjs && /);
});

test('every link of a document in the tarball leads to a file in it', async t => {
	for (const name of tarball.files.filter(file => file.endsWith('.md'))) {
		const prose = (await contentOf(name)).replaceAll(/^```[^]*?^```$/gm, '');
		for (const target of captured(prose, /\]\(([^()\s#]+)[^()\s]*\)/g).filter(target => !/^https?:/.test(target))) {
			t.true(tarball.files.includes(normalize(join(dirname(name), target))), `${name}: ${target}: is not packed`);
		}
	}

	t.true(tarball.files.includes('docs/cli.md'));
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
