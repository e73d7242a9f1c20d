import test from 'ava';
import {angularBlock, chooseLayer, chooseSurvivor, oneShot} from '../../ts/plan/search.js';

test('the smallest score goes, ties to the lower place', t => {
	t.is(chooseLayer(Float64Array.of(3, 1, 2)), 1);
	t.is(chooseLayer(Float64Array.of(2, 1, 1)), 1);
	t.is(chooseLayer(Float64Array.of(Infinity, Infinity, 7)), 2);
});

test('after a race the smallest score of the survivors goes, ties to the lower place', t => {
	t.is(chooseSurvivor(Float64Array.of(3, 1, 2, 2), Uint32Array.of(0, 2, 3)), 2);
	t.is(chooseSurvivor(Float64Array.of(Number.NaN, 1, 2), Uint32Array.of(2)), 2);
	t.throws(() => chooseSurvivor(Float64Array.of(1, 2, Number.NaN), Uint32Array.of(2)), {code: 'ERR_BAD_DATA', message: 'Layer at place 2: expected a score, got NaN'});
	t.throws(() => chooseSurvivor(Float64Array.of(1, 2), new Uint32Array()), {code: 'ERR_BAD_DATA'});
});

test('one-shot drops the smallest scores, smallest first', t => {
	t.deepEqual(oneShot(Float64Array.of(3, 1, 2, 1, Infinity), 3), [1, 3, 2]);
});

for (const [name, choose] of Object.entries({chooseLayer, oneShot: (scores: Float64Array) => oneShot(scores, 1)})) {
	test(`${name} refuses scores that say nothing`, t => {
		t.throws(() => choose(Float64Array.of(1, Number.NaN)), {code: 'ERR_BAD_DATA', message: 'Layer at place 1: expected a score, got NaN'});
		t.throws(() => choose(Float64Array.of(Infinity, Infinity)), {code: 'ERR_BAD_DATA', message: 'Layers: expected at least one finite score, got none'});
		t.throws(() => choose(new Float64Array(0)), {code: 'ERR_BAD_DATA', message: 'Layers: expected at least one finite score, got no score'});
	});
}

// distance[a][b] of 4 layers, rows 0 to 4
const distances = [
	[0, 4, 6, 8, 9],
	[4, 0, 3, 5, 8],
	[6, 3, 0, 1, 4],
	[8, 5, 1, 0, 2],
	[9, 8, 4, 2, 0],
];
const angular = Float64Array.from(distances.flat());

for (const [count, start] of [[1, 2], [2, 2], [3, 0]] as const) {
	test(`of all blocks of ${count} layers the one at ${start} changes least`, t => {
		t.is(angularBlock(angular, 4, count), start);
	});
}

test('equal blocks: the lower one', t => {
	t.is(angularBlock(new Float64Array(25).fill(0.5), 4, 2), 0);
});

for (const count of [0, 4, 5, 1.5]) {
	test(`refuses to drop ${count} of 4 layers`, t => {
		const expectation = {code: 'ERR_BAD_ARGUMENT', message: `Layers to drop: expected 1 to 3, got ${count}`};
		t.throws(() => angularBlock(angular, 4, count), expectation);
		t.throws(() => oneShot(Float64Array.of(1, 2, 3, 4), count), expectation);
	});
}
