// A GPU that is not there, can't be used or fails: a code, a sentence and what to do; the process goes on with the CPU.
import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import process from 'node:process';
import test from 'ava';
import type {ExecutionContext} from 'ava';
import {FlabError, doctor, plan, prune} from '../../ts/index.js';
import {nativeFile} from '../../ts/native/load.js';
import {picoPlace} from '../e2e/checkpoints.js';
import {temporaryFolder} from '../fixtures/pico.js';
import {isBuilt, realLibrary, useEmulator} from './emulated.js';

/** Environment variables of one test. Serial tests only. */
const withEnvironment = (t: ExecutionContext, values: Readonly<Record<string, string | undefined>>): void => {
	const before = Object.fromEntries(Object.keys(values).map(name => [name, process.env[name]]));
	const set = (variables: Readonly<Record<string, string | undefined>>): void => {
		for (const [name, value] of Object.entries(variables)) {
			if (value === undefined) {
				delete process.env[name];
			} else {
				process.env[name] = value;
			}
		}
	};

	set(values);
	t.teardown(() => {
		set(before);
	});
};

/** What a run that asks for the GPU is told, and what `auto` makes of it: the CPU's plan. */
const failureOf = async (t: ExecutionContext): Promise<FlabError> => {
	const {model, calibration} = await picoPlace(t, {layers: 2});
	const options = {model, calibration, layers: {drop: 1}};
	const error = await t.throwsAsync<FlabError>(plan({...options, device: 'cuda'}), {instanceOf: FlabError});
	t.deepEqual(await plan({...options, device: 'auto'}), await plan({...options, device: 'cpu'}));
	t.truthy(error!.hint);
	return error!;
};

const states = {
	'no-device': ['ERR_NO_DEVICE', /no CUDA-capable device/],
	'not-ready': ['ERR_NO_DRIVER', /system not yet initialized/],
	'old-driver': ['ERR_OLD_DRIVER', /driver version is insufficient/],
	busy: ['ERR_DEVICE_BUSY', /busy or unavailable/],
	'mps-full': ['ERR_DEVICE_BUSY', /MPS client have been exhausted/],
	unsupported: ['ERR_DEVICE_UNSUPPORTED', /compute capability 7\.0, the oldest supported one is 8\.0/],
	'no-code': ['ERR_DEVICE_UNSUPPORTED', /compute capability 11\.0, which this library has no code for/],
} as const;

for (const [state, [code, sentence]] of Object.entries(states)) {
	test.serial(`a GPU that is ${state}: ${code}, and auto computes on the CPU`, async t => {
		if (!useEmulator(t)) {
			return;
		}

		withEnvironment(t, {FLAB_EMULATED_DEVICE: state});
		const error = await failureOf(t);
		t.is(error.code, code);
		t.regex(error.message, sentence);
		const {cuda, healthy} = await doctor();
		t.is(cuda.state, 'not usable');
		t.regex(`${cuda.reason} ${cuda.devices.map(({products}) => products).join(' ')}`, sentence);
		t.true(healthy);
	});
}

test.serial('a GPU of a number that is not there: the number of those that are', async t => {
	if (!useEmulator(t)) {
		return;
	}

	const {model, calibration} = await picoPlace(t, {layers: 2});
	await t.throwsAsync(plan({model, calibration, layers: {drop: 1}, device: 'cuda:1'}), {code: 'ERR_NO_DEVICE', message: 'device: expected a number below 1, the number of CUDA devices here, got 1'});
});

// Ava's configuration hides the GPUs of this machine from all tests, as they compare with what the CPU computes.
const isHidden = (t: ExecutionContext, reason: string): boolean => {
	const hidden = /no CUDA-capable device/.test(reason);
	if (hidden) {
		t.log('skipped: there is a driver');
		t.pass();
	}

	return hidden;
};

test.serial('without a driver, the library of the package is not opened', async t => {
	if (!isBuilt(t, realLibrary, 'npm run build:cuda')) {
		return;
	}

	withEnvironment(t, {FLAB_CUDA_LIBRARY: undefined});
	const {cuda} = await doctor();
	if (isHidden(t, cuda.reason)) {
		return;
	}

	t.deepEqual(cuda.devices, []);
	t.regex(cuda.reason, /no NVIDIA driver: libcuda\.so\.1|the library for GPUs is not there/);
});

test.serial('without a driver, the real library says so itself when it is opened all the same', async t => {
	if (!isBuilt(t, realLibrary, 'npm run build:cuda')) {
		return;
	}

	withEnvironment(t, {FLAB_CUDA_LIBRARY: realLibrary});
	const {cuda} = await doctor();
	if (isHidden(t, cuda.reason)) {
		return;
	}

	t.is((await failureOf(t)).code, 'ERR_NO_DRIVER');
});

test.serial('a library that is none, and one that is not a backend, are refused with their path', async t => {
	const path = join(await temporaryFolder(t), 'flab_cuda.so');
	await writeFile(path, 'not a library');
	withEnvironment(t, {FLAB_CUDA_LIBRARY: path});
	const damaged = await failureOf(t);
	t.is(damaged.code, 'ERR_NO_BACKEND');
	t.is(damaged.file, path);
	withEnvironment(t, {FLAB_CUDA_LIBRARY: nativeFile()});
	const other = await failureOf(t);
	t.is(other.code, 'ERR_NO_BACKEND');
	t.is(other.message, `${nativeFile()}: expected a backend of flab-pruner, got a library without flab_backend`);
});

test.serial('a GPU whose memory is too small: what it needs and what there is', async t => {
	if (!useEmulator(t)) {
		return;
	}

	withEnvironment(t, {FLAB_EMULATED_MEMORY: String(2 ** 26)});
	const {model, calibration} = await picoPlace(t, {layers: 2});
	const error = await t.throwsAsync<FlabError>(plan({model, calibration, layers: {drop: 1}, device: 'cuda'}), {code: 'ERR_DEVICE_MEMORY'});
	t.regex(error!.message, /^device: expected at least \d+ bytes of device memory for this model and these texts, got \d+$/);
	t.regex(error!.hint!, /--max-device-memory/);
});

// Two GPUs each: what the first meets, and its memory; the second is sound.
const firsts = {
	'is busy': [{FLAB_EMULATED_DEVICE: 'busy,sound'}, 'cuda:1', /^a GPU that can be used \(others can't: .*busy or unavailable.*\): emulated/],
	'is full': [
		{FLAB_EMULATED_DEVICE: 'sound,sound', FLAB_EMULATED_MEMORY: `${2 ** 26},${2 ** 31}`},
		'cuda:1',
		/^a GPU that can be used \(others can't: device: expected at least \d+ bytes .*, got \d+\): emulated/,
	],
	'is full, as is the second': [
		{FLAB_EMULATED_DEVICE: 'sound,sound', FLAB_EMULATED_MEMORY: `${2 ** 26},${2 ** 26}`},
		'cpu',
		/^no GPU can be used: device: expected at least \d+ bytes of device memory .*, got \d+; device: expected at least \d+ bytes .*, got \d+$/,
	],
} as const;

for (const [what, [environment, device, reason]] of Object.entries(firsts)) {
	test.serial(`where the first GPU ${what}, auto takes ${device} and says why`, async t => {
		if (!useEmulator(t)) {
			return;
		}

		withEnvironment(t, environment);
		const place = await picoPlace(t, {layers: 2});
		const {root: _, ...paths} = place;
		const report = await prune({...paths, layers: {drop: 1}});
		t.is(report.device!.name, device);
		t.regex(report.device!.reason, reason);
	});
}

test.serial('a limit of memory that is too small for what a GPU needs of the host leads auto to the CPU', async t => {
	if (!useEmulator(t)) {
		return;
	}

	const place = await picoPlace(t, {layers: 2});
	const {root: _, ...paths} = place;
	// A GPU takes 168 MiB for what is on its way, this model on the CPU a tenth of that.
	const options = {...paths, layers: {drop: 1}, maxMemory: process.memoryUsage.rss() + 130e6};
	const {device} = await prune(options);
	t.is(device!.name, 'cpu');
	t.regex(device!.reason, /^no GPU can be used: maxMemory: expected at least \d+ MB/);
	await t.throwsAsync(prune({...options, out: `${paths.out}-2`, device: 'cuda'}), {code: 'ERR_MEMORY'});
});

test.serial('doctor lists every GPU, with what multiplies on it or why it can\'t be used', async t => {
	if (!useEmulator(t)) {
		return;
	}

	withEnvironment(t, {FLAB_EMULATED_DEVICE: 'busy,sound,unsupported'});
	const {cuda} = await doctor();
	t.deepEqual(cuda.devices.map(({device, usable}) => [device, usable]), [['cuda:0', false], ['cuda:1', true], ['cuda:2', false]]);
	t.is(cuda.reason, '3 devices found, 1 usable; runs use the first that has room for the model, unless --device says otherwise');
	t.regex(cuda.devices.map(({products}) => products).join('\n'), /^.*busy or unavailable.*\n.*cublasLt.*\n.*compute capability 7\.0/);
});

test.serial('a GPU that fails while it computes: the process computes on with the CPU', async t => {
	if (!useEmulator(t)) {
		return;
	}

	withEnvironment(t, {FLAB_EMULATED_FAULT: '20'});
	const {model, calibration} = await picoPlace(t, {layers: 2});
	const options = {model, calibration, layers: {drop: 1}};
	const error = await t.throwsAsync<FlabError>(plan({...options, device: 'cuda'}), {code: 'ERR_DEVICE_FAULT'});
	t.regex(error!.message, /an illegal memory access was encountered/);
	t.regex(error!.hint!, /nvidia-smi/);
	// Lasting: the next run is told at once.
	await t.throwsAsync(plan({...options, device: 'cuda'}), {code: 'ERR_DEVICE_FAULT'});
	t.is((await plan({...options, device: 'cpu'})).layers!.dropped.length, 1);
});
