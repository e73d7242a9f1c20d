// Errors and progress as a program sees them: where it called, what it can iterate.

import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {
	FlabError, apply, inspect, klDivergence, neuronScores, openCheckpoint, parsePlan, plan, planToJson, prune, reportToHtml, reportToJson, reportToMarkdown, sliceColumns, sliceRows, topK,
} from '../../ts/index.js';
import type {ProgressEvent} from '../../ts/index.js';
import {packageRoot} from '../../ts/native/root.js';

const example = join(packageRoot, 'examples/tiny-coder');
const calibration = {paths: [join(example, 'data/calibration.jsonl')], maxTexts: 4, maxTokens: 32};
const broken = await mkdtemp(join(tmpdir(), 'flab-api-'));
await writeFile(join(broken, 'texts.jsonl'), '{"prompt": "a"}\n{"prompt": 5}\n');
test.after.always(async () => rm(broken, {recursive: true}));

const matrix = {data: new Float32Array(6), shape: [3, 2]};
const overlap = {out: matrix.data.subarray(0, 2)};

// Failures far from the call: in a native job, on another thread, after many files were read.
const calls: Readonly<Record<string, () => Promise<unknown>>> = {
	'prune, before anything is read': async () => prune({model: example} as never),
	'prune, in the calibration texts': async () => prune({model: example, out: join(broken, 'out'), calibration: join(broken, 'texts.jsonl'), layers: {drop: 1}}),
	'plan, in a native job': async () => plan({model: example, calibration, layers: {drop: 1}, maxMemory: 1 << 20}),
	'plan, in the search': async () => plan({model: example, calibration, layers: {drop: 1000}}),
	apply: async () => apply({model: example, plan: join(broken, 'no-plan.json'), out: join(broken, 'out')}),
	inspect: async () => inspect({model: broken}),
	openCheckpoint: async () => openCheckpoint(broken),
	topK: async () => topK(Float64Array.of(1, Number.NaN), 1),
	klDivergence: async () => klDivergence(matrix, {data: new Float32Array(6), shape: [2, 3]}),
	neuronScores: async () => neuronScores({metric: 'wanda'}),
	sliceRows: async () => sliceRows(matrix, [0], overlap),
	sliceColumns: async () => sliceColumns(matrix, [7]),
};
for (const [what, call] of Object.entries(calls)) {
	test(`the stack of an error leads to the call: ${what}`, async t => {
		const error = await t.throwsAsync(call, {instanceOf: FlabError});
		// Where Error.prepareStackTrace is left alone this is the line of the call above.
		t.regex(error!.stack!, /errors\.test\.[jt]s:\d+/);
		t.is(error!.stack!.split('\n')[0], `FlabError: ${error!.message.split('\n')[0]}`);
	});
}

test.serial('a current directory that was deleted is an ERR_READ of the API too', async t => {
	const {cwd} = process;
	process.cwd = () => {
		throw Object.assign(new Error('ENOENT: no such file or directory, uv_cwd'), {code: 'ENOENT', syscall: 'uv_cwd'});
	};

	try {
		await t.throwsAsync(inspect({model: 'm'}), {code: 'ERR_READ', message: 'The current directory does not exist any more'});
	} finally {
		process.cwd = cwd;
	}
});

test('a run can be iterated for its progress, and is the promise of its result', async t => {
	const run = plan({model: example, calibration, layers: {drop: 1}});
	const events: ProgressEvent[] = [];
	for await (const event of run) {
		events.push(event);
	}

	t.true(events.some(({phase}) => phase === 'layers'));
	t.true(events.every(({done, total, unit}) => done >= 0 && (total === 0 || done <= total) && unit.length > 0));
	t.is((await run).layers!.dropped.length, 1);
});

test('a run that fails throws in the loop, and the callback sees the same events', async t => {
	const events: ProgressEvent[] = [];
	const controller = new AbortController();
	const run = plan({model: example, calibration, layers: {drop: 1}}, {
		signal: controller.signal,
		onProgress(event) {
			events.push(event);
			controller.abort();
		},
	});
	const iterated: ProgressEvent[] = [];
	await t.throwsAsync(async () => {
		for await (const event of run) {
			iterated.push(event);
		}
	}, {code: 'ERR_ABORTED'});
	t.deepEqual(iterated[0], events[0]);
	await t.throwsAsync(run, {code: 'ERR_ABORTED'});
});

test('leaving the loop early leaves the run alone, and a slow reader gets the newest events', async t => {
	const run = plan({model: example, calibration, layers: {drop: 2}});
	for await (const event of run) {
		t.true(event.done >= 0);
		break;
	}

	t.is((await run).layers!.dropped.length, 2);
	const late: ProgressEvent[] = [];
	for await (const event of run) {
		late.push(event);
	}

	t.deepEqual(late, []);
});

const wrong = (value: unknown): never => value as never;
const noControls: ReadonlyArray<readonly [control: unknown, message: string]> = [
	[{onProgress: 5}, 'onProgress: expected a function, got 5'],
	[{onprogress() {}}, 'onprogress: expected no such name (did you mean onProgress?), got a function'],
	[{sginal: undefined}, 'sginal: expected no such name (did you mean signal?), got undefined'],
	[null, 'control: expected an object with signal or onProgress, got null'],
	[() => undefined, 'control: expected an object with signal or onProgress, got a function'],
];
for (const [control, message] of noControls) {
	test(`refuses as a control: ${message}`, async t => {
		for (const call of [plan, prune, apply, inspect] as Array<(options: never, control: never) => Promise<unknown>>) {
			await t.throwsAsync(async () => call(wrong({model: example}), wrong(control)), {instanceOf: FlabError, code: 'ERR_BAD_ARGUMENT', message});
		}
	});
}

test('an option with a slip is refused with the name that was meant, at any depth', async t => {
	await t.throwsAsync(async () => plan(wrong({model: example, layres: {drop: 1}})), {code: 'ERR_BAD_ARGUMENT', message: /layres: expected no such name \(did you mean layers\?\), got an Object$/m});
	await t.throwsAsync(async () => plan({model: example, layers: wrong({drop: 1, metrik: 'kl'})}), {code: 'ERR_BAD_ARGUMENT', message: /^layers\.metrik: expected no such name \(did you mean metric\?\), got "kl"$/m});
	await t.throwsAsync(async () => plan({model: example, ffn: wrong({width: 0.5, colour: 1})}), {code: 'ERR_BAD_ARGUMENT', message: /^ffn\.colour: expected no such name, got 1$/m});
});

const text = '{"schemaVersion": 1}';
const nothings: ReadonlyArray<readonly [what: string, call: () => unknown, code: string, message: RegExp]> = [
	['parsePlan of nothing', () => parsePlan(wrong(undefined)), 'ERR_BAD_ARGUMENT', /^text: expected the text of a plan, got undefined$/],
	['parsePlan of a Buffer', () => parsePlan(wrong(Buffer.from(text))), 'ERR_BAD_ARGUMENT', /^text: expected the text of a plan, got a Buffer of 20$/],
	['parsePlan without a file name', () => parsePlan('{}'), 'ERR_BAD_PLAN', /^plan: schemaVersion: expected 1, got undefined$/],
	['planToJson of nothing', () => planToJson(wrong(undefined)), 'ERR_BAD_PLAN', /^plan: expected a plan, got undefined$/],
	['planToJson of an empty object', () => planToJson(wrong({})), 'ERR_BAD_PLAN', /^plan: schemaVersion: expected 1, got undefined$/],
	['planToJson of a part of a plan', () => planToJson(wrong({schemaVersion: 1})), 'ERR_BAD_PLAN', /^plan: generator: expected an object, got undefined\n/],
	['reportToJson of nothing', () => reportToJson(wrong(undefined)), 'ERR_BAD_ARGUMENT', /^report: expected an object, got undefined$/],
	['reportToMarkdown of nothing', () => reportToMarkdown(wrong(undefined)), 'ERR_BAD_ARGUMENT', /^report: expected an object, got undefined$/],
	['reportToHtml of an empty object', () => reportToHtml(wrong({})), 'ERR_BAD_ARGUMENT', /^plan: expected an object, got undefined$/],
	['reportToHtml of an empty plan', () => reportToHtml(wrong({plan: {}})), 'ERR_BAD_ARGUMENT', /^plan\.schemaVersion: expected .*\n/],
];
for (const [what, call, code, message] of nothings) {
	test(`${what} is refused in a sentence`, t => {
		const error = t.throws(call, {instanceOf: FlabError, code, message}) as FlabError;
		t.truthy(error.hint);
		t.notRegex(error.message, /Invalid|Unrecognized|Required/);
	});
}
