// The three ways to build the addon (native/install.mjs, node-gyp, cmake-js) ask the compiler and the linker for the same: then they get the same
// bytes. What is asked is recorded, and nothing is compiled: that would take minutes.

import {existsSync} from 'node:fs';
import {chmod, cp, readFile, readdir, symlink, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import test from 'ava';
import {packageRoot} from '../../ts/native/root.js';
import {emptyFolder, succeed, which} from './processes.js';

const nodePrefix = dirname(dirname(process.execPath));
const missing = [
	...['cmake', 'make', 'c++', 'python3'].filter(name => which(name) === undefined),
	...existsSync(join(nodePrefix, 'include/node/common.gypi')) ? [] : ['Node\'s headers'],
];

// Notes what is asked of the compiler for our sources, and makes empty objects of them.
const launcher = `#!/bin/sh
for last in "$@"; do :; done
case "$last" in
	*/native/*.cc) ;;
	*) exec "$@" ;;
esac
printf '%s\\n' "$*" >> "$ASKED"
before=
for word in "$@"; do
	case "$before" in
		-o) object="$word" ;;
		-MF) : > "$word" ;;
	esac
	before="$word"
done
exec "$1" -x c++ -c /dev/null -o "$object"
`;

// Headers of Node-API are those of the same version (NAPI_VERSION), wherever they lie; cmake-js says what they ask about on Windows only.
const withoutHeaders = (command: string): string => command.replaceAll(/ (?:-isystem \S+|-DBUILDING_NODE_EXTENSION)/g, '').replaceAll(/\s+/g, ' ').trim();

/** Commands of compiler and linker in a copy of the sources that `build` builds. */
const askedBy = async (script: string, ...parameters: readonly string[]): Promise<readonly string[]> => {
	const folder = await emptyFolder();
	for (const name of ['CMakeLists.txt', 'binding.gyp', 'package.json', 'native', 'dist/include']) {
		await cp(join(packageRoot, name), join(folder, name), {recursive: true});
	}

	await symlink(join(packageRoot, 'node_modules'), join(folder, 'node_modules'));
	await writeFile(join(folder, 'launcher'), launcher);
	await chmod(join(folder, 'launcher'), 0o755);
	const asked = join(folder, 'asked.txt');
	await succeed(process.execPath, [join(folder, script), ...parameters], {cwd: folder, environment: {CMAKE_CXX_COMPILER_LAUNCHER: join(folder, 'launcher'), ASKED: asked}});
	const compiled = (await readFile(asked, 'utf8')).trim().split('\n');
	const linked = await readFile(join(folder, 'build/cmake/CMakeFiles/flab_addon.dir/link.txt'), 'utf8');
	return [...compiled, linked].map(command => withoutHeaders(command.replaceAll(folder, 'FOLDER'))).sort();
};

test('node-gyp and cmake-js ask for the same as the install script', async t => {
	if (missing.length > 0) {
		t.log(`skipped: ${missing.join(', ')} not found`);
		t.pass();
		return;
	}

	t.timeout(120_000);
	const expected = await askedBy('native/install.mjs', '--build');
	t.true(expected.some(command => command.endsWith('native/binding/addon.cc')) && expected.some(command => command.includes('-O3') && command.includes('native/cpu/generic.cc')));
	t.deepEqual(await askedBy('node_modules/node-gyp/bin/node-gyp.js', 'rebuild', `--nodedir=${nodePrefix}`), expected);
	t.deepEqual(await askedBy('node_modules/cmake-js/bin/cmake-js', 'compile', '--out', 'build/cmake', '--generator', 'Unix Makefiles'), expected);
});

test('no source asks about what only cmake-js says', async t => {
	for (const name of (await readdir(join(packageRoot, 'native'), {recursive: true})).filter(name => /\.(?:cc|h)$/.test(name))) {
		t.false((await readFile(join(packageRoot, 'native', name), 'utf8')).includes('BUILDING_NODE_EXTENSION'), name);
	}
});
