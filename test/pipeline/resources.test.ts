import {readdir} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {apply, plan} from '../../ts/index.js';
import type {ProgressEvent} from '../../ts/index.js';
import type {Native} from '../../ts/native/contract.js';
import {loadNative} from '../../ts/native/load.js';
import {packageRoot} from '../../ts/native/root.js';
import {temporaryFolder} from '../fixtures/pico.js';

const example = join(packageRoot, 'examples/tiny-coder');
const options = {model: example, calibration: {paths: [join(example, 'data/calibration.jsonl')], maxTexts: 4, maxTokens: 32}, layers: {drop: 1}} as const;

/** Notes under which limits each scoring of layers starts, until the test ends. */
const watchLimits = (t: {teardown: (end: () => void) => void}) => {
	const native = loadNative() as {-readonly [Name in keyof Native]: Native[Name]};
	const {limitThreads, limitMemory, scoreLayers} = native;
	t.teardown(() => {
		Object.assign(native, {limitThreads, limitMemory, scoreLayers});
	});
	const now = {threads: 0, memory: 0};
	const seen: Array<typeof now> = [];
	native.limitThreads = threads => {
		now.threads = threads;
		limitThreads(threads);
	};

	native.limitMemory = memory => {
		now.memory = memory;
		limitMemory(memory);
	};

	native.scoreLayers = (...inputs) => {
		seen.push({...now});
		return scoreLayers(...inputs);
	};

	return {now, seen};
};

test.serial('runs at the same time keep to their own threads and memory, and leave no limit behind', async t => {
	const {now, seen} = watchLimits(t);
	const limits = [{threads: 1, maxMemory: 1e9}, {threads: 2}, {}];
	const plans = await Promise.all(limits.map(async limit => plan({...options, ...limit})));
	const keyOf = ({threads, memory}: typeof now) => `${threads} ${memory}`;
	t.deepEqual([...new Set(seen.map(limit => keyOf(limit)))].sort(), ['0 0', '1 1000000000', '2 0']);
	t.deepEqual(now, {threads: 0, memory: 0});
	t.deepEqual(plans.map(({layers}) => layers), plans.map(() => plans[0]!.layers));
});

test.serial('a limit of memory holds for its own run only', async t => {
	const [tight, free] = await Promise.allSettled([plan({...options, maxMemory: 1 << 20}), plan(options)]);
	t.is(tight.status === 'rejected' && (tight.reason as {code: string}).code, 'ERR_MEMORY');
	t.is(free.status, 'fulfilled');
});

test('applying a plan under a limit that its verification would not fit in is refused before anything is written', async t => {
	const folder = await temporaryFolder(t);
	const made = await plan({model: example, layers: {drop: [1]}});
	const phases = new Set<string>();
	const control = {onProgress: ({phase}: ProgressEvent) => phases.add(phase)};
	const options = {model: example, plan: made, out: join(folder, 'out'), calibration: {paths: [join(example, 'data/calibration.jsonl')]}};
	await t.throwsAsync(apply({...options, maxMemory: 100e6}, control), {code: 'ERR_MEMORY', message: /^maxMemory: expected at least \d+ MB for this model and these texts, got 100 MB$/});
	t.false(phases.has('write'));
	t.deepEqual(await readdir(folder), []);
});

test('the addon says what the machine grants, and by whose word', t => {
	const {threads, affinityThreads, cgroupThreads, availableBytes, residentBytes} = loadNative().resources();
	t.true(threads >= 1 && threads <= Math.min(affinityThreads, cgroupThreads ?? Infinity));
	t.true(availableBytes > 0 && residentBytes > 1e6);
});
