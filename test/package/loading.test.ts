// What is said when the addon does not load: each case is a copy of the package with a binary that is made to fail.

import {chmod, cp, mkdir, readFile, rm, symlink, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {nativeFile} from '../../ts/native/load.js';
import {packageRoot} from '../../ts/native/root.js';
import {emptyFolder, onlyNode, run, succeed, which} from './processes.js';
import {prebuilt} from './tarball.js';

const linux = process.platform === 'linux' ? test : test.skip;
const release = 'build/Release/flab_pruner.node';

/** A copy of the package with these files as binaries: the bytes of this machine's addon, changed by the function. */
const packageWith = async (binaries: Readonly<Record<string, (addon: Buffer) => Buffer>>): Promise<string> => {
	const folder = join(await emptyFolder(), 'node_modules');
	const copy = join(folder, 'flab-pruner');
	await cp(fileURLToPath(new URL('../../ts/native', import.meta.url)), join(copy, 'dist/native'), {recursive: true});
	await cp(fileURLToPath(new URL('../../ts/errors.js', import.meta.url)), join(copy, 'dist/errors.js'));
	await cp(join(packageRoot, 'package.json'), join(copy, 'package.json'));
	await cp(join(packageRoot, 'native/toolchain.cjs'), join(copy, 'native/toolchain.cjs'));
	await symlink(join(packageRoot, 'node_modules/node-gyp-build'), join(folder, 'node-gyp-build'));
	const addon = await readFile(nativeFile());
	for (const [name, change] of Object.entries(binaries)) {
		await mkdir(dirname(join(copy, name)), {recursive: true});
		await writeFile(join(copy, name), change(Buffer.from(addon)));
	}

	return copy;
};

type Loaded = {readonly file?: string; readonly name?: string; readonly code?: string; readonly message?: string; readonly hint?: string};

const load = async (copy: string, {flags = [], path, environment}: {flags?: readonly string[]; path?: string; environment?: NodeJS.ProcessEnv} = {}): Promise<Loaded> => {
	const program = `
		import {nativeFile} from ${JSON.stringify(join(copy, 'dist/native/load.js'))};
		try {
			console.log(JSON.stringify({file: nativeFile()}));
		} catch ({name, code, message, hint}) {
			console.log(JSON.stringify({name, code, message, hint}));
		}`;
	const {out} = await succeed(process.execPath, [...flags, '--input-type=module', '--eval', program], {cwd: copy, path: path ?? await onlyNode(), environment});
	return JSON.parse(out) as Loaded;
};

const asItIs = (addon: Buffer): Buffer => addon;
const damaged = (): Buffer => Buffer.from('<!DOCTYPE html><title>404</title>');

/** The addon with one of the strings in it (of the dynamic linker's table) replaced by another as long. */
const replaced = (from: string, to: string) => (addon: Buffer): Buffer => {
	for (let at = addon.indexOf(`${from}\0`); at !== -1; at = addon.indexOf(`${from}\0`, at + 1)) {
		addon.write(to, at, 'latin1');
	}

	return addon;
};

const withoutTools = 'install cmake, make and g++ (Debian and Ubuntu: apt-get install cmake make g++; Fedora and RHEL: dnf install cmake make gcc-c++), then run `npm rebuild flab-pruner` to build from source';

test('without any binary, every place is named, and each tool that a build from source lacks', async t => {
	const copy = await packageWith({});
	const {name, code, message, hint} = await load(copy);
	t.is(name, 'FlabError');
	t.is(code, 'ERR_NATIVE_LOAD');
	t.is(message, [
		`The native addon for ${process.platform}-${process.arch} could not be loaded. Tried:`,
		`  ${release}: no such file`,
		'  build/Debug/flab_pruner.node: no such file',
		`  ${prebuilt}: no such file`,
		'  build from source: cmake, make and g++ not found on PATH',
	].join('\n'));
	t.is(hint, `I${withoutTools.slice(1)} (where install scripts are switched off: \`node ${join(copy, 'native/install.mjs')}\`; in a checkout: \`npm run build\`).`);
});

test('where the tools are there, the error says how to build', async t => {
	const copy = await packageWith({});
	const {message, hint} = await load(copy, {path: await onlyNode({cmake: '/bin/sh', ninja: '/bin/sh', 'clang++': '/bin/sh'})});
	t.true(message!.endsWith('\n  build from source: possible, its tools are here'), message);
	t.true(hint!.startsWith('Run `npm rebuild flab-pruner` to build from source'), hint);
});

test('a build that does not load gives way to the prebuilt binary', async t => {
	const copy = await packageWith({[release]: damaged, [prebuilt]: asItIs});
	t.deepEqual(await load(copy), {file: join(copy, prebuilt)});
});

test('a build from source comes before the prebuilt binary, and PREBUILDS_ONLY=1 passes it by', async t => {
	const copy = await packageWith({[release]: asItIs, [prebuilt]: asItIs});
	t.deepEqual(await load(copy), {file: join(copy, release)});
	t.deepEqual(await load(copy, {environment: {PREBUILDS_ONLY: '1'}}), {file: join(copy, prebuilt)});
	await rm(join(copy, prebuilt));
	const {message} = await load(copy, {environment: {PREBUILDS_ONLY: '1'}});
	t.false(message!.includes(release), message);
});

test('an addon of another version is refused', async t => {
	const copy = await packageWith({[prebuilt]: asItIs});
	const file = join(copy, 'package.json');
	const {version, ...others} = JSON.parse(await readFile(file, 'utf8')) as {version: string};
	await writeFile(file, JSON.stringify({...others, version: '99.1.0'}));
	const {code, message, hint} = await load(copy);
	t.is(code, 'ERR_NATIVE_LOAD');
	t.true(message!.includes(`  ${prebuilt}: it is of flab-pruner ${version}, this is flab-pruner 99.1.0\n`), message);
	t.true(hint!.startsWith(`Install the package again. Or ${withoutTools}`), hint);
});

test('a damaged file is called that', async t => {
	const {message, hint} = await load(await packageWith({[prebuilt]: damaged}));
	t.regex(message!, /flab-pruner\.glibc\.node: it is damaged: expected a binary for (Linux|macOS), got something else\n/);
	t.true(hint!.startsWith(`Install the package again, on the machine that it is to run on. Or ${withoutTools}`), hint);
	t.regex((await load(await packageWith({[prebuilt]: () => Buffer.alloc(0)}))).message!, /node: it is damaged: expected a binary for \w+, got an empty file\n/);
});

linux('a binary for another processor or system is called that', async t => {
	const copy = await packageWith({
		[release](addon) {
			addon.writeUInt16LE(243, 18); // e_machine
			return addon;
		},
		[prebuilt]: () => Buffer.from('cffaedfe0c000001', 'hex'),
	});
	const {message} = await load(copy);
	t.true(message!.includes(`  ${release}: it is for riscv64, this Node is for ${process.arch}\n`), message);
	t.true(message!.includes(`  ${prebuilt}: it is for macOS, this is Linux\n`), message);
});

linux('a glibc that is too old is told with the version that is needed and the one that is there', async t => {
	const {message, hint} = await load(await packageWith({[prebuilt]: replaced('GLIBC_2.34', 'GLIBC_9.99')}));
	const {header} = process.report.getReport() as unknown as {header: {glibcVersionRuntime: string}};
	t.true(message!.includes(`  ${prebuilt}: it needs glibc 9.99, this system has ${header.glibcVersionRuntime}\n`), message);
	t.true(hint!.startsWith(`Use a system with glibc 9.99 or newer. Or ${withoutTools}`), hint);
});

// Only what Node reports is musl's here: it leaves the version of glibc out of it. The binary lacks a library, as one for glibc does there.
linux('where the C library is musl, a binary for glibc is called that', async t => {
	const musl = 'process.report.getReport = () => ({header: {}})';
	const {message, hint} = await load(await packageWith({[prebuilt]: replaced('libm.so.6', 'libq.so.6')}), {flags: ['--import', `data:text/javascript,${musl}`]});
	t.true(message!.includes(`  ${prebuilt}: it is made for glibc, and this system has another C library (musl)\n`), message);
	t.true(hint!.startsWith(`I${withoutTools.slice(1)}`), hint);
});

for (const [what, name] of [['a file', prebuilt], ['a folder', dirname(prebuilt)]] as const) {
	test(`${what} that this user may not read is told, and no build is recommended`, async t => {
		const copy = await packageWith({[prebuilt]: asItIs});
		// For root there is nothing that it may not read: it becomes nobody, for whom the test's folders are opened.
		const isRoot = process.getuid!() === 0;
		if (isRoot) {
			await chmod(dirname(dirname(copy)), 0o755);
		}

		await chmod(join(copy, name), 0);
		t.teardown(async () => chmod(join(copy, name), 0o755));
		const {message, hint} = await load(copy, {flags: isRoot ? ['--import', 'data:text/javascript,process.setuid(65534)'] : []});
		t.true(message!.includes(`  ${prebuilt}: permission denied\n`), message);
		t.is(hint, 'Check who may read the file and its folder.');
	});
}

linux('a library that is missing is named', async t => {
	const {message, hint} = await load(await packageWith({[prebuilt]: replaced('libm.so.6', 'libq.so.6')}));
	t.true(message!.includes(`  ${prebuilt}: it needs libq.so.6, which this system does not have\n`), message);
	t.true(hint!.startsWith(`Install the package of your system that has libq.so.6. Or ${withoutTools}`), hint);
});

linux('a file system that forbids execution is told, and no build is recommended', async t => {
	const copy = await packageWith({[prebuilt]: asItIs});
	const folder = join(copy, 'prebuilds');
	// a mount of its own, which ends with the shell
	const script = `mount -t tmpfs -o noexec none /mnt && cp -r '${folder}/.' /mnt && mount --bind /mnt '${folder}' && exec "$@"`;
	const within = async (...line: readonly string[]) => run(which('unshare') ?? 'unshare', ['--map-root-user', '--mount', '--', 'sh', '-c', script, 'sh', ...line], {cwd: copy});
	if ((await within('true')).code !== 0) {
		t.log('skipped: this user may not mount file systems');
		t.pass();
		return;
	}

	const {out, errors} = await within(process.execPath, '--input-type=module', '--eval', `
		import {loadNative} from ${JSON.stringify(join(copy, 'dist/native/load.js'))};
		try { loadNative(); } catch ({message, hint}) { console.log(JSON.stringify({message, hint})); }`);
	const {message, hint} = JSON.parse(out || `{"message": ${JSON.stringify(errors)}}`) as Loaded;
	t.true(message!.includes(`  ${prebuilt}: nothing may be executed from where it lies\n`), message);
	t.is(hint, 'Install the package on a file system that is not mounted noexec (findmnt -T shows how one is mounted), or ask what SELinux forbids.');
});

test('a Node that may not load addons is told how it may', async t => {
	const copy = await packageWith({[prebuilt]: asItIs});
	const without = await load(copy, {flags: ['--no-addons']});
	t.true(without.message!.includes(`  ${prebuilt}: Node was started with --no-addons\n`), without.message);
	t.is(without.hint, 'Start Node without --no-addons.');

	const permission = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';
	const forbidden = await load(copy, {flags: [permission, '--allow-fs-read=*']});
	t.true(forbidden.message!.includes(`  ${prebuilt}: Node's permission model forbids addons\n`), forbidden.message);
	t.is(forbidden.hint, 'Start Node with --allow-addons.');
});

const onPlatform = (name: string): readonly string[] => ['--import', `data:text/javascript,Object.defineProperty(process, "platform", {value: "${name}"})`];

test('on Windows one sentence says that it is not supported', async t => {
	const {code, message, hint} = await load(await packageWith({}), {flags: onPlatform('win32')});
	t.deepEqual({code, message, hint}, {code: 'ERR_NATIVE_LOAD', message: 'flab-pruner does not run on Windows', hint: 'Install and run it in WSL 2, which is Linux.'});
});

test('on macOS it is said that there is only the build from source', async t => {
	const {message, hint} = await load(await packageWith({}), {flags: onPlatform('darwin')});
	t.regex(message!, /^The native addon for darwin-\w+ could not be loaded \(for macOS there is no prebuilt binary; it is meant to build from source, which has not been tried yet\)\. Tried:\n/);
	t.true(hint!.startsWith('Install cmake, make and g++ (xcode-select --install has the compiler and make, brew install cmake the rest), then run `npm rebuild flab-pruner`'), hint);
});
