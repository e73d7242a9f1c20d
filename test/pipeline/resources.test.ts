import test from 'ava';
import {apply, plan, prune} from '../../ts/index.js';
import {loadNative} from '../../ts/native/load.js';
import {examplePlan} from '../plan/examplePlan.js';

const nowhere = '/nowhere/at/all';
const limits = {threads: 1, maxMemory: 4096} as const;
const options = {model: nowhere, layers: {drop: [1]}};

test.serial('plan, prune and apply set the limits of the process before they open anything, and lift those that they are not given', async t => {
	const native = loadNative() as {limitThreads: (threads: number) => void; limitMemory: (bytes: number) => void};
	const {limitThreads, limitMemory} = native;
	t.teardown(() => {
		Object.assign(native, {limitThreads, limitMemory});
	});
	for (const run of [
		async (given: object) => plan({...options, ...given}),
		async (given: object) => prune({...options, out: '/tmp/none', ...given}),
		async (given: object) => apply({model: nowhere, plan: examplePlan(), out: '/tmp/none', ...given}),
	]) {
		const calls: number[] = [];
		Object.assign(native, {limitThreads: (threads: number) => calls.push(threads), limitMemory: (bytes: number) => calls.push(bytes)});
		await t.throwsAsync(run(limits), {code: 'ERR_READ'});
		await t.throwsAsync(run({}), {code: 'ERR_READ'});
		t.deepEqual(calls, [1, 4096, 0, 0]);
	}
});
