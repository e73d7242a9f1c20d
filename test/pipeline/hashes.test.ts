import {createHash} from 'node:crypto';
import {mkdir, open, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import type {ExecutionContext} from 'ava';
import {abortError} from '../../ts/errors.js';
import {withHashes} from '../../ts/pipeline/hashes.js';
import type {Source} from '../../ts/pipeline/source.js';
import type {ProgressEvent} from '../../ts/progress.js';
import {temporaryFolder} from '../fixtures/pico.js';
import {msUnderLoad} from '../waits.js';

const contents = {'config.json': Buffer.from('{}'), 'tokenizer.json': Buffer.alloc(0), 'b.safetensors': Buffer.alloc(3_000_001, 7), 'a.safetensors': Buffer.alloc(1 << 20, 3)};

const sourceIn = (dir: string): Source => ({
	checkpoint: {dir, shards: ['b.safetensors', 'a.safetensors'].map(name => ({path: join(dir, name)})), sideFiles: {tokenizer: ['tokenizer.json', 'merges.txt']}},
	native: {threads: 2},
}) as unknown as Source;

/** A source whose first weights are `weights`: none of its files is a whole checkpoint. */
const place = async (t: ExecutionContext, weights?: 'folder' | 'endless'): Promise<Source> => {
	const dir = await temporaryFolder(t);
	for (const [name, bytes] of Object.entries(contents)) {
		await writeFile(join(dir, name), bytes);
	}

	if (weights === 'folder') {
		await mkdir(join(dir, 'b'));
	} else if (weights === 'endless') {
		const file = await open(join(dir, 'b'), 'w');
		await file.truncate(2 ** 40);
		await file.close();
	}

	const source = sourceIn(dir);
	return weights === undefined ? source : {...source, checkpoint: {...source.checkpoint, shards: [{path: join(dir, 'b')}]}} as unknown as Source;
};

/** Work that goes on until it is cancelled. */
const untilCancelled = async (signal: AbortSignal | undefined): Promise<never> => new Promise((_, reject) => {
	signal!.addEventListener('abort', () => {
		reject(abortError(signal));
	});
});

const hashOf = (bytes: Buffer): {bytes: number; sha256: string} => ({bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex')});

for (const threads of [1, 2, undefined]) {
	test(`the hashes are those of the files, whatever the threads: ${threads}`, async t => {
		const events: ProgressEvent[] = [];
		const files = await withHashes(await place(t), threads, {onProgress: event => events.push(event)}, async ({sizes, wait}) => {
			t.deepEqual(sizes, Object.fromEntries(Object.entries(contents).map(([name, {length}]) => [name, length])));
			await sleep(100);
			t.deepEqual(events, [], 'no events beside those of the work');
			return wait();
		});
		t.deepEqual(files, Object.fromEntries(Object.entries(contents).map(([name, bytes]) => [name, hashOf(bytes)])));
		const total = 3_000_001 + (1 << 20) + 2;
		t.deepEqual(events.at(-1), {phase: 'hash', done: total, total, unit: 'bytes'});
	});
}

test('a file that can not be read ends the work, and is the error', async t => {
	const source = await place(t, 'folder');
	await t.throwsAsync(withHashes(source, 2, {}, async (_, {signal}) => untilCancelled(signal)), {code: 'ERR_READ', message: /\/b: could not read: it is a directory/});
	await t.throwsAsync(withHashes(source, 2, {}, async ({wait}) => wait()), {code: 'ERR_READ', message: /\/b: could not read: it is a directory/});
});

test('a failure of the work ends the hashing, and is the error', async t => {
	const begin = performance.now();
	await t.throwsAsync(withHashes(await place(t, 'endless'), 2, {}, async () => {
		await sleep(50);
		throw new Error('no space');
	}), {message: 'no space'});
	t.true(performance.now() - begin < msUnderLoad(2000));
});

test('a file that is missing is refused before the work', async t => {
	const source = sourceIn(await temporaryFolder(t));
	await t.throwsAsync(withHashes(source, 2, {}, async () => {
		t.fail();
	}), {code: 'ERR_READ', message: /config\.json: could not read: no such file/});
});

for (const [when, work] of [
	['while the work goes on', async (_: unknown, {signal}: {signal?: AbortSignal}) => untilCancelled(signal)],
	['while the hashes are waited for', async ({wait}: {wait: () => Promise<unknown>}) => wait()],
] as const) {
	test(`an abort ${when} ends both, at once`, async t => {
		const controller = new AbortController();
		const running = withHashes(await place(t, 'endless'), 2, {signal: controller.signal}, work);
		await sleep(100);
		const begin = performance.now();
		controller.abort(new Error('enough'));
		const error = await t.throwsAsync(running, {code: 'ERR_ABORTED'});
		t.is((error?.cause as Error).message, 'enough');
		t.true(performance.now() - begin < msUnderLoad(200), `${performance.now() - begin} ms`);
	});
}

test('a long hashing tells how far it is, and ends with what its listener throws', async t => {
	const thrown = new Error('no more');
	const events: ProgressEvent[] = [];
	await t.throwsAsync(withHashes(await place(t, 'endless'), 2, {onProgress(event) {
		events.push(event);
		if (event.done > 0) {
			throw thrown;
		}
	}}, async ({wait}) => wait()), {is: thrown});
	t.true(events.at(-1)!.done > 0 && events.at(-1)!.total > 2 ** 40);
});
