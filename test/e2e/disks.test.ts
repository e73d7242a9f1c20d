// File systems that are full, read-only or limited. They are mounted for the test, which takes a superuser on Linux; elsewhere the tests say that they were skipped.
import {execFile} from 'node:child_process';
import {mkdir} from 'node:fs/promises';
import {join} from 'node:path';
import process from 'node:process';
import {promisify} from 'node:util';
import test from 'ava';
import type {ExecutionContext} from 'ava';
import {plan, prune} from '../../ts/index.js';
import type {PruneOptions} from '../../ts/index.js';
import {picoPlace} from './checkpoints.js';
import type {Place} from './checkpoints.js';
import {contents} from './folders.js';

const run = promisify(execFile);

/** A small file system of its own, unmounted after the test; undefined where that is not allowed. */
const mounted = async (t: ExecutionContext, root: string, size: string): Promise<string | undefined> => {
	const folder = join(root, 'disk');
	await mkdir(folder);
	const works = process.platform === 'linux' && process.getuid?.() === 0 && await run('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]).then(() => true, () => false);
	if (!works) {
		t.log('skipped: no file system could be mounted');
		t.pass();
		return undefined;
	}

	t.teardown(async () => {
		// Lazily: mapped weights hold it until they are collected.
		await run('umount', ['-l', folder]);
	});
	return folder;
};

const options = ({model, corpus, calibration}: Place, out: string): PruneOptions => ({model, corpus, calibration, out, layers: {drop: 1}, ffn: {width: 24, multipleOf: 8}});

for (const [size, what] of [['64k', 'weights'], ['160k', 'tokenizer'], ['4k', 'first file']] as const) {
	test(`a disk that has no room for the ${what} is ERR_WRITE, and is empty afterwards`, async t => {
		const place = await picoPlace(t);
		const disk = await mounted(t, place.root, size);
		if (disk !== undefined) {
			await t.throwsAsync(prune(options(place, join(disk, 'out'))), {code: 'ERR_WRITE', message: /disk\/.*: could not write: no space left on the device$/});
			t.deepEqual(await contents(disk), {});
		}
	});
}

test('a read-only file system is ERR_WRITE before the search begins', async t => {
	const place = await picoPlace(t);
	const disk = await mounted(t, place.root, '1m');
	if (disk !== undefined) {
		await run('mount', ['-o', 'remount,ro', disk]);
		const phases: string[] = [];
		await t.throwsAsync(prune(options(place, join(disk, 'deep', 'out')), {onProgress: ({phase}) => phases.push(phase)}), {code: 'ERR_WRITE', message: /could not write: the file system is read-only$/});
		await t.throwsAsync(prune(options(place, join(disk, 'out'))), {code: 'ERR_WRITE', message: /could not write: the file system is read-only$/});
		t.deepEqual(phases, []);
	}
});

test('a model on a read-only file system can be pruned', async t => {
	const place = await picoPlace(t);
	const disk = await mounted(t, place.root, '4m');
	if (disk !== undefined) {
		await run('cp', ['-r', place.model, disk]);
		await run('mount', ['-o', 'remount,ro', disk]);
		const {verification} = await prune({...options(place, place.out), model: join(disk, 'model')});
		t.is(verification!.relativeError, 0);
	}
});

for (const out of ['/proc/flab-test/out', '/sys/flab-test/out', '/dev/null/out', '/dev/null'] as const) {
	test(`${out} can not be written to, and that is found out at once`, async t => {
		if (process.platform !== 'linux') {
			t.log('skipped: not on Linux');
			t.pass();
			return;
		}

		const place = await picoPlace(t);
		const made = prune(options(place, out)).then(() => 'no error', (error: {code?: string}) => error.code);
		const late = new Promise<string>(resolve => {
			setTimeout(resolve, 5000, 'no answer').unref();
		});
		t.regex(await Promise.race([made, late]) ?? 'an error without a code', /^ERR_(WRITE|OUTPUT_EXISTS)$/);
	});
}

test('a file larger than the process may write is ERR_WRITE, and leaves nothing', async t => {
	const place = await picoPlace(t);
	const script = `import {prune} from ${JSON.stringify(new URL('../../ts/index.js', import.meta.url).href)};
		const error = await prune(${JSON.stringify(options(place, place.out))}).then(() => ({}), error => error);
		console.log(error.code, error.message);`;
	const before = await contents(place.root);
	// In blocks of 512 bytes or of 1 kB, as the shell has it: 32 or 64 kB.
	const {stdout} = await run('sh', ['-c', 'ulimit -f 64 && exec "$0" --input-type=module -e "$1"', process.execPath, script]);
	t.regex(stdout, /^ERR_WRITE .*model\.safetensors: could not write: the file would be larger than the limit allows/);
	t.deepEqual(await contents(place.root), before);
});

test('planning writes nothing at all', async t => {
	const place = await picoPlace(t);
	const before = await contents(place.root);
	const {out: _, ...choices} = options(place, place.out);
	await plan(choices);
	t.deepEqual(await contents(place.root), before);
});
