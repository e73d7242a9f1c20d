import test from 'ava';
import type {ExecutionContext} from 'ava';
import {apply, plan, prune} from '../../ts/index.js';
import type {Control, ProgressEvent, ProgressPhase, PruneOptions} from '../../ts/index.js';
import {longPlace, picoPlace} from './checkpoints.js';
import type {Place} from './checkpoints.js';
import {contents} from './folders.js';
import {msUnderLoad} from '../waits.js';

const phases: readonly ProgressPhase[] = ['hash', 'count', 'prove', 'layers', 'neurons', 'evaluate', 'write', 'verify'];

const options = ({model, corpus, calibration, out}: Place): PruneOptions =>
	({model, corpus, calibration, evaluation: corpus, out, layers: {drop: 1}, ffn: {width: 24, multipleOf: 8}});

/** Runs `work`, which must fail with this error and leave the place as it was. */
const fails = async (t: ExecutionContext, place: Place, work: () => Promise<unknown>, expected: {readonly code?: string; readonly is?: Error}): Promise<void> => {
	const before = await contents(place.root);
	await t.throwsAsync(work, expected);
	t.deepEqual(await contents(place.root), before);
};

/** Aborts when the phase is first seen, or in its last event, and notes when. */
const abortIn = (wanted: ProgressPhase, when: 'first' | 'last' = 'first'): {readonly control: Control; readonly abortedMs: () => number | undefined} => {
	const controller = new AbortController();
	let atMs: number | undefined;
	const control: Control = {
		signal: controller.signal,
		onProgress({phase, done, total}) {
			if (phase === wanted && atMs === undefined && (when === 'first' || done === total)) {
				atMs = performance.now();
				controller.abort(new Error('enough'));
			}
		},
	};
	return {control, abortedMs: () => atMs};
};

for (const phase of phases) {
	test.serial(`an abort in the phase ${phase} ends the run within a second and leaves nothing`, async t => {
		const place = await picoPlace(t);
		const {control, abortedMs} = abortIn(phase);
		await fails(t, place, async () => prune(options(place), control), {code: 'ERR_ABORTED'});
		t.not(abortedMs(), undefined, 'the phase was seen');
		t.true(performance.now() - abortedMs()! < msUnderLoad(1000));
	});

	test.serial(`an exception of the progress callback in the phase ${phase} ends the run with it and leaves nothing`, async t => {
		const place = await picoPlace(t);
		const thrown = new Error('no more');
		await fails(t, place, async () => prune(options(place), {
			onProgress({phase: seen}) {
				if (seen === phase) {
					throw thrown;
				}
			},
		}), {is: thrown});
	});
}

// Nothing is left to cancel then, but nothing has been published yet either.
for (const [phase, verify] of [['verify', true], ['write', false]] as const) {
	test.serial(`an abort at the very end of the phase ${phase}, the last one, still leaves nothing`, async t => {
		const place = await picoPlace(t);
		const {control, abortedMs} = abortIn(phase, 'last');
		await fails(t, place, async () => prune({...options(place), verify}, control), {code: 'ERR_ABORTED'});
		t.not(abortedMs(), undefined, 'the phase was seen to its end');
	});
}

test.serial('an aborted signal ends plan, apply and prune before they begin', async t => {
	const place = await picoPlace(t);
	const {out, ...choices} = options(place);
	const made = await plan(choices);
	const signal = AbortSignal.abort();
	const seen: ProgressEvent[] = [];
	const control = {signal, onProgress: (event: ProgressEvent) => seen.push(event)};
	await fails(t, place, async () => plan(choices, control), {code: 'ERR_ABORTED'});
	await fails(t, place, async () => prune({...choices, out}, control), {code: 'ERR_ABORTED'});
	await fails(t, place, async () => apply({model: place.model, plan: made, out}, control), {code: 'ERR_ABORTED'});
	t.deepEqual(seen, []);
});

for (const phase of ['layers', 'neurons'] as const) {
	test.serial(`a long search in the phase ${phase} ends within a second of the abort, and the event loop stays free`, async t => {
		const place = await longPlace(t);
		const {out, ...choices} = options(place);
		const {control, abortedMs} = abortIn(phase);
		let longestMs = 0;
		let lastMs = performance.now();
		const timer = setInterval(() => {
			const nowMs = performance.now();
			longestMs = abortedMs() === undefined ? 0 : Math.max(longestMs, nowMs - lastMs);
			lastMs = nowMs;
		}, 10);
		t.teardown(() => {
			clearInterval(timer);
		});
		const layers = phase === 'layers' ? {drop: 8, positions: 'all'} as const : false;
		await fails(t, place, async () => prune({...choices, corpus: undefined, vocabulary: false, layers, ffn: {width: 512}, out}, control), {code: 'ERR_ABORTED'});
		t.true(performance.now() - abortedMs()! < msUnderLoad(1000), `${performance.now() - abortedMs()!} ms`);
		t.true(longestMs < msUnderLoad(500), `the event loop stood still for ${longestMs} ms`);
	});
}

test.serial('two runs at a time do not disturb each other, and aborting one lets the other finish', async t => {
	const [one, two] = [await picoPlace(t), await picoPlace(t, {seed: 2})];
	const {control} = abortIn('layers');
	const [, report] = await Promise.all([
		fails(t, one, async () => prune(options(one), control), {code: 'ERR_ABORTED'}),
		prune(options(two)),
	]);
	t.is(report.verification!.relativeError, 0);
});
