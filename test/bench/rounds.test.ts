import test from 'ava';
import {load} from './load.js';

const {compare, median, runInTurns, summarise} = await load('rounds.mjs');

/** Sides that take the given seconds, run by run (the last again and again), and what they were asked in which order. */
const sidesTaking = (seconds: Readonly<Record<string, readonly number[]>>) => {
	const asked: string[] = [];
	const sides = Object.entries(seconds).map(([name, times]) => {
		let run = 0;
		return {
			name,
			async run() {
				asked.push(name);
				return {seconds: times[Math.min(run++, times.length - 1)]!};
			},
		};
	});
	return {sides, asked};
};

const secondsOf = (results: any) => results.map(({answers}: any) => answers.map(({seconds}: any) => seconds));

test('sides take turns, and the first round is not counted', async t => {
	const {sides, asked} = sidesTaking({ours: [9, 1, 2, 3], theirs: [8, 4, 5, 6]});
	t.deepEqual(secondsOf(await runInTurns(sides, {runs: 3, seconds: 100})), [[1, 2, 3], [4, 5, 6]]);
	t.deepEqual(asked, ['ours', 'theirs', 'ours', 'theirs', 'ours', 'theirs', 'ours', 'theirs']);
});

test('everyone is prepared before anyone runs', async t => {
	const asked: string[] = [];
	const side = (name: string) => ({name, prepare: async () => void asked.push(`prepare ${name}`), run: async () => (asked.push(name), {seconds: 1})});
	await runInTurns([side('a'), side('b')], {runs: 1, seconds: 10});
	t.deepEqual(asked, ['prepare a', 'prepare b', 'a', 'b', 'a', 'b']);
});

test('no further round begins once the time is over', async t => {
	const {sides} = sidesTaking({ours: [1], theirs: [2]});
	t.deepEqual(secondsOf(await runInTurns(sides, {runs: 15, seconds: 7})), [[1, 1, 1], [2, 2, 2]]);
});

test('two rounds are run even if one is over the time', async t => {
	const {sides} = sidesTaking({ours: [5], theirs: [9]});
	t.deepEqual(secondsOf(await runInTurns(sides, {runs: 15, seconds: 10})), [[5, 5], [9, 9]]);
});

test('where a run is longer than the time, the first round is the only one, and counts', async t => {
	const {sides, asked} = sidesTaking({ours: [4], theirs: [11]});
	t.deepEqual(secondsOf(await runInTurns(sides, {runs: 15, seconds: 10})), [[4], [11]]);
	t.deepEqual(asked, ['ours', 'theirs']);
});

for (const [failing, asked] of [[0, 'preparing'], [1, 'first run'], [3, 'later run']] as const) {
	test(`a side that can't run (${asked}) is not asked again, and the others go on`, async t => {
		const {sides} = sidesTaking({ours: [1]});
		let calls = 0;
		const answer = async () => calls++ === failing ? {error: 'no compiler'} : {seconds: 1};
		const [ours, theirs] = await runInTurns([...sides, {name: 'theirs', prepare: answer, run: answer}], {runs: 4, seconds: 100});
		t.is(ours.answers.length, 4);
		t.deepEqual(summarise(theirs), {name: 'theirs', error: 'no compiler'});
		t.is(calls, failing + 1);
	});
}

test('the median of an even number is between the two in the middle', t => {
	t.is(median([4, 1, 3]), 3);
	t.is(median([4, 1, 3, 2]), 2.5);
});

test('a part of the work is scaled, and the largest memory counts', t => {
	const answers = [{seconds: 2, scale: 30, note: 'estimated', peakBytes: 7}, {seconds: 1, scale: 30, note: 'estimated', peakBytes: 5}];
	t.deepEqual(summarise({name: 'search', answers}), {name: 'search', runs: 2, medianSeconds: 45, bestSeconds: 30, seconds: [60, 30], peakBytes: 7, note: 'estimated'});
});

test('processors busy with something else are those that the side does not account for', t => {
	const {cores, otherCores} = summarise({name: 'a', answers: [{seconds: 1, cpuSeconds: 1.5, machineSeconds: 2}, {seconds: 1, cpuSeconds: 1.5, machineSeconds: 1.6}]});
	t.is(cores, 1.5);
	t.true(Math.abs(otherCores - 0.3) < 1e-9);
	t.is(summarise({name: 'a', answers: [{seconds: 0.01, cpuSeconds: 0.01, machineSeconds: 0.03}]}).otherCores, undefined);
});

test('a result has the share of its limit and how many times as fast as others it is', t => {
	const summaries = [{name: undefined, runs: 2, medianSeconds: 2, bestSeconds: 1}, {name: 'torch', runs: 2, medianSeconds: 5, bestSeconds: 4}, {name: 'broken', error: 'no'}];
	const result = compare(summaries, {name: 'product/x', limit: 'limit/bf16', bytes: 0, flops: 100, tokens: 0}, new Map([['limit/bf16', 200]]));
	t.is(result.name, 'product/x');
	t.is(result.shareOfLimit, 0.25);
	t.deepEqual(result.peers.map(({name, ratioOfMedians, ratioOfBests, error}: any) => [name, ratioOfMedians, ratioOfBests, error]), [['torch', 2.5, 4, undefined], ['broken', undefined, undefined, 'no']]);
});

test('bytes that a run counted itself are its bytes', t => {
	const result = compare([{medianSeconds: 2, bestSeconds: 1, bytes: 50}], {name: 'prune/x', limit: 'limit/copy'}, new Map([['limit/copy', 100]]));
	t.is(result.bytes, 50);
	t.is(result.shareOfLimit, 0.25);
});
