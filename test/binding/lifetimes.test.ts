// What ends while a job runs. Each in a process of its own: a mistake here is a crash, not a failed assertion.

import {existsSync} from 'node:fs';
import test from 'ava';
import {runChild} from './support.js';

/** A program that started a long job and saw that it runs. */
const running = `
	const {native, model} = await reference.openTiny('qwen2-tied');
	await new Promise(resolve => {
		support.startLong(native, model, () => resolve()).promise.catch(() => undefined);
	});`;

/** Seconds of work for all threads, on memory that is unmapped when it goes. */
const queue = 'const [data, out] = [0, 0].map(() => new Float32Array(1e6)); for (let i = 0; i < 5000; i++) native.sliceRows(data, 1, 1e6, Uint32Array.of(0), out).promise.catch(() => undefined);';

const endings: ReadonlyArray<readonly [what: string, program: string, code: number]> = [
	['process.exit', 'process.exit(7);', 7],
	['process.exit, in the progress callback', 'const other = await reference.openTiny("qwen2-tied"); support.startLong(native, other.model, () => process.exit(7)).promise.catch(() => undefined);', 7],
	['an uncaught exception', 'setTimeout(() => { throw new Error("uncaught"); }, 10);', 1],
	['a rejection that nobody handles', 'Promise.reject(new Error("unhandled"));', 1],
	['process.exit with many jobs under way', 'for (let i = 0; i < 50; i++) support.startLong(native, model).promise.catch(() => undefined); setTimeout(() => process.exit(7), 20);', 7],
	['process.exit with jobs that just ended', 'for (let i = 0; i < 50; i++) native.topK({data: Float64Array.of(1, 2), dtype: "F64", rows: 1, columns: 2}, 1); const end = Date.now() + 50; while (Date.now() < end); process.exit(7);', 7],
	['process.exit with thousands of jobs in the queue', `${queue} setTimeout(() => process.exit(7), 5);`, 7],
	['process.exit in an exit handler of a cancelled job', 'process.on("exit", () => { support.startLong(native, model).cancel(); }); process.exit(7);', 7],
];
for (const [what, program, expected] of endings) {
	test.serial(`${what} in the middle of a job ends the process as it should`, async t => {
		const {code, signal, errors} = await runChild(`${running}\n${program}`);
		t.is(signal, null, errors);
		t.is(code, expected, errors);
	});
}

test.serial('a process whose jobs are done ends by itself', async t => {
	const {code, signal, out, errors} = await runChild(`
		const {native, model} = await reference.openTiny('qwen2-tied');
		const job = support.startLong(native, model);
		setTimeout(() => job.cancel(), 50);
		console.log(await support.codeOf(job.promise));`);
	t.is(signal, null, errors);
	t.is(code, 0, errors);
	t.is(out, 'ERR_ABORTED');
});

/** A worker that says 'running' once its long job runs; 'ready' answers what it is told to do then. */
const workers = `
	import {Worker} from 'node:worker_threads';
	const source = body => \`
		const {parentPort, workerData} = require('node:worker_threads');
		(async () => {
			const reference = await import(\${JSON.stringify(referenceUrl)});
			const support = await import(\${JSON.stringify(supportUrl)});
			const {native, model} = await reference.openTiny('qwen2-tied');
			\${body}
		})();\`;
	const long = source('support.startLong(native, model, () => parentPort.postMessage("running")).promise.catch(() => undefined);');
	const start = body => new Worker(body, {eval: true, execArgv: []});
	const message = worker => new Promise((resolve, reject) => {
		worker.once('message', resolve);
		worker.once('error', reject);
	});`;

const workerPrograms: Readonly<Record<string, string>> = {
	'a worker thread that is terminated in the middle of a job ends, and the process works on': `
		for (let i = 0; i < 8; i++) {
			const worker = start(long);
			await message(worker);
			const begin = Date.now();
			await worker.terminate();
			if (Date.now() - begin > 5000) throw new Error('terminating took ' + (Date.now() - begin) + ' ms');
		}
		const {native, model} = await reference.openTiny('qwen2-tied');
		console.log((await native.logits({model, view: {}, texts: support.manyTexts(1, 3), positions: 'last'}).promise).length);`,
	'a worker thread that is terminated at any moment of many short jobs ends, and the process works on': `
		const busy = source('parentPort.postMessage("running"); for (;;) await Promise.all([1, 2, 3].map(() => native.logits({model, view: {}, texts: support.manyTexts(3, 9), positions: "last"}, () => {}).promise));');
		for (let i = 0; i < 12; i++) {
			const worker = start(busy);
			await message(worker);
			await new Promise(resolve => setTimeout(resolve, i * 3));
			await worker.terminate();
		}
		const {native, model} = await reference.openTiny('qwen2-tied');
		console.log((await native.logits({model, view: {}, texts: support.manyTexts(1, 3), positions: 'last'}).promise).length);`,
	'a worker thread that exits by itself in the middle of a job ends, and the process works on': `
		for (const way of ['process.exit(0)', 'setTimeout(() => { throw new Error("in the worker"); }, 5)']) {
			const worker = start(source('support.startLong(native, model, () => { ' + way + '; }).promise.catch(() => undefined);'));
			worker.on('error', () => {});
			await new Promise(resolve => worker.once('exit', resolve));
		}
		const {native, model} = await reference.openTiny('qwen2-tied');
		console.log((await native.logits({model, view: {}, texts: support.manyTexts(1, 3), positions: 'last'}).promise).length);`,
	'two worker threads and the main thread use the addon at the same time': `
		const work = 'native.scoreLayers({model, view: {}, texts: support.manyTexts(40, 30), positions: "all", candidates: true, losses: true}).promise.then(({divergence}) => [...divergence].join())';
		const body = source('const results = []; for (let i = 0; i < 10; i++) results.push(await ' + work + '); parentPort.postMessage(new Set(results).size + " " + results[0]);');
		const answers = [message(start(body)), message(start(body))];
		const {native, model} = await reference.openTiny('qwen2-tied');
		const own = await eval(work);
		for (const answer of await Promise.all(answers)) {
			if (answer !== '1 ' + own) throw new Error(answer + ' is not 1 ' + own);
		}
		console.log(97);`,
	'a worker thread that is terminated with thousands of jobs in the queue ends, and the jobs of others go on': `
		const body = source(${JSON.stringify(queue)} + ' parentPort.postMessage("running");');
		const {native, model} = await reference.openTiny('qwen2-tied');
		for (let i = 0; i < 6; i++) {
			const own = Array.from({length: 50}, () => native.logits({model, view: {}, texts: support.manyTexts(1, 3), positions: 'last'}).promise);
			const worker = start(body);
			await message(worker);
			await worker.terminate();
			if ((await Promise.all(own)).some(({length}) => length !== 97)) throw new Error('lost');
		}
		console.log(97);`,
	'the main thread exits while a worker thread runs a job': `
		const worker = start(long);
		await message(worker);
		console.log(97);
		process.exit(0);`,
	'memory that a terminated worker thread handed to a job is not touched afterwards': `
		const body = source('const data = new Float32Array(20_000_000); const out = new Float32Array(20_000_000); for (let i = 0; i < 40; i++) native.sliceColumns(data, 20_000, 1000, Uint32Array.from({length: 1000}, (_, j) => j), out).promise.catch(() => undefined); parentPort.postMessage("running");');
		for (let i = 0; i < 4; i++) {
			const worker = start(body);
			await message(worker);
			await worker.terminate();
		}
		console.log(97);`,
};
for (const [title, program] of Object.entries(workerPrograms)) {
	test.serial(title, async t => {
		const {code, signal, out, errors} = await runChild(`${workers}\n${program}`);
		t.is(signal, null, errors);
		t.is(code, 0, errors);
		t.is(out, '97');
	});
}

/** Mappings of the tiny model's file, and a collection of garbage that is given time to run finalizers. */
const memory = `
	import {readFileSync, readdirSync} from 'node:fs';
	const mappings = () => readFileSync('/proc/self/maps', 'utf8').split('\\n').filter(line => line.endsWith('qwen2-tied/model.safetensors')).length;
	const collect = async () => {
		for (let i = 0; i < 10; i++) {
			gc();
			await new Promise(resolve => setTimeout(resolve, 5));
		}
	};
	const path = reference.modelsFolder + '/qwen2-tied/model.safetensors';
	const load = (await import(loadUrl)).loadNative;
	const check = (what, got, expected) => {
		if (got !== expected) throw new Error(what + ': expected ' + expected + ', got ' + got);
	};`;

const memoryPrograms: Readonly<Record<string, string>> = {
	'mapped files go with the last of their objects and views': `
		let file = load().mapFile(path);
		let view = new Uint8Array(file.view(0, 100));
		const first = view[0];
		check('mapped', mappings(), 1);
		file = undefined;
		await collect();
		check('while a view lives', mappings(), 1);
		check('its byte', view[0], first);
		view = undefined;
		await collect();
		check('after the view', mappings(), 0);`,
	'models go, and with them their files': `
		let opened = await reference.openTiny('qwen2-tied');
		await opened.native.logits({model: opened.model, view: {}, texts: support.manyTexts(1, 3), positions: 'last'}).promise;
		check('opened', mappings() > 0, true);
		opened = undefined;
		await collect();
		check('after the model', mappings(), 0);
		for (let i = 0; i < 200; i++) await reference.openTiny('qwen2-tied');
		await collect();
		check('after 200 models', mappings(), 0);`,
	'a job keeps its model while it runs, and lets it go afterwards': `
		let opened = await reference.openTiny('qwen2-tied');
		const texts = support.manyTexts(1600, 60);
		const input = {view: {}, texts, positions: 'all', candidates: true, losses: true};
		const expected = (await opened.native.scoreLayers({model: opened.model, ...input}).promise).divergence.join();
		let {promise} = opened.native.scoreLayers({model: opened.model, ...input});
		opened = undefined;
		await collect();
		check('while the job runs', mappings() > 0, true);
		check('its result', (await promise).divergence.join(), expected);
		promise = undefined;
		await collect();
		check('after the job', mappings(), 0);`,
	'jobs keep the memory that they read and write': `
		const native = load();
		const [rows, columns] = [6, 500_000];
		// The last half of each row is the largest; a job takes long enough for garbage to be collected meanwhile.
		const start = () => native.topK({data: Float64Array.from({length: rows * columns}, (_, i) => i % columns), dtype: 'F64', rows, columns}, columns / 2).promise;
		const slice = i => {
			const out = new Float32Array(1_000_000);
			return native.sliceColumns(new Float32Array(1_000_000).fill(i), 1000, 1000, Uint32Array.from({length: 1000}, (_, j) => j), out).promise.then(() => out);
		};
		const indices = Array.from({length: 4}, start);
		const outs = Array.from({length: 8}, (_, i) => slice(i));
		await collect();
		for (const got of await Promise.all(indices)) check('indices', got.every((value, i) => value === (columns / 2) + (i % (columns / 2))), true);
		for (const [i, out] of (await Promise.all(outs)).entries()) check('out ' + i, out.every(value => value === i), true);`,
	'tens of thousands of jobs at once end, on a bounded number of threads, which go when there is nothing to do': `
		const native = load();
		const threads = () => readdirSync('/proc/self/task').length;
		const before = threads();
		const jobs = Array.from({length: 40_000}, () => native.sliceRows(new Float32Array(10), 1, 10, Uint32Array.of(0), new Float32Array(10)).promise);
		const grown = threads() - before;
		check(grown + ' more threads are at most ' + support.mostJobs(native), grown <= support.mostJobs(native), true);
		check('results', (await Promise.all(jobs)).length, 40_000);
		while (threads() > before) await new Promise(resolve => setTimeout(resolve, 200));`,
	'a system that gives no more threads is named as the reason, and jobs go on when it does': `
		const native = load();
		const {execFileSync} = await import('node:child_process');
		const limit = bytes => execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + bytes + ':']);
		const start = () => support.codeOf(native.sliceRows(new Float32Array(10), 1, 10, Uint32Array.of(0), new Float32Array(10)).promise);
		limit(1024 * Number(/VmSize:\\s*(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) + (1 << 20));
		let refused;
		try {
			await start();
		} catch (error) {
			refused = error;
		}
		limit('unlimited');
		check('code', refused?.code, 'EAGAIN');
		check('message', /^No thread could be started: \\w/.test(refused.message), true);
		check('afterwards', await start(), 'resolved');`,
	'a thousand jobs leave no memory behind': `
		const native = load();
		const run = async () => { for (let i = 0; i < 500; i++) await native.topK({data: new Float64Array(1000), dtype: 'F64', rows: 10, columns: 100}, 50).promise; };
		await run();
		await collect();
		const before = process.memoryUsage().rss;
		await run();
		await run();
		await collect();
		const grown = process.memoryUsage().rss - before;
		check('grew by ' + grown + ' bytes, which is less than 20 MB', grown < 20e6, true);`,
};
for (const [title, program] of Object.entries(memoryPrograms)) {
	test.serial(title, async t => {
		if (!existsSync('/proc/self/maps')) {
			t.log('skipped: needs /proc/self/maps');
			t.pass();
			return;
		}

		const {code, signal, errors} = await runChild(`${memory}\n${program}`, {flags: ['--expose-gc']});
		t.is(signal, null, errors);
		t.is(code, 0, errors);
	});
}
