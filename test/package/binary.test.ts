import {join} from 'node:path';
import test from 'ava';
import {nativeFile} from '../../ts/native/load.js';
import {packageRoot} from '../../ts/native/root.js';
import {run} from './processes.js';

const newestGlibc = 34; // 2.34: Debian 12, Ubuntu 22.04, RHEL 9

/** Names of the addon's dynamic symbols, with the versions that they are needed in; undefined if nm can't be asked. */
const symbols = async (which: string): Promise<readonly string[] | undefined> => {
	const {code, out} = await run('nm', ['--dynamic', '--format=posix', which, nativeFile()], {cwd: packageRoot});
	return process.platform === 'linux' && code === 0 ? out.trim().split('\n').map(line => line.split(' ')[0]!) : undefined;
};

test('the addon exports what Node asks for and nothing else', async t => {
	const exported = await symbols('--defined-only');
	if (exported === undefined) {
		t.log('skipped: there is no nm that reads the addon');
	}

	t.deepEqual(exported ?? entries, entries);
});

const entries = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

test('the prebuilt binary needs no newer glibc than 2.34, and no libstdc++', async t => {
	// one that is built here may need the glibc that is here
	const needed = nativeFile().startsWith(join(packageRoot, 'prebuilds')) ? await symbols('--undefined-only') : undefined;
	if (needed === undefined) {
		t.log('skipped: the tests do not run on a prebuilt binary (npm run test:prebuilt), or there is no nm');
	}

	const tooNew = (needed ?? []).filter(name => Number(/@GLIBC_2\.(\d+)/.exec(name)?.[1] ?? 0) > newestGlibc || /@(GLIBCXX|CXXABI)_/.test(name));
	t.deepEqual(tooNew, []);
});
