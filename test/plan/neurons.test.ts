import test from 'ava';
import {neuronStrategies} from '../../ts/plan/choices.js';
import {candidateStrategies, keepByPlace, keepLargest, keepLargestOfLayers, summarizeScores} from '../../ts/plan/neurons.js';

const place = {fullWidth: 7, count: 4, seed: 0, layer: 0};

test('top keeps the first, bottom the last, middle the centre', t => {
	t.deepEqual([...keepByPlace({...place, strategy: 'top'})], [0, 1, 2, 3]);
	t.deepEqual([...keepByPlace({...place, strategy: 'bottom'})], [3, 4, 5, 6]);
	t.deepEqual([...keepByPlace({...place, strategy: 'middle'})], [1, 2, 3, 4]);
});

test('all neurons stay when all are asked for, whatever the strategy', t => {
	for (const strategy of ['top', 'bottom', 'middle', 'random'] as const) {
		t.deepEqual([...keepByPlace({...place, strategy, count: 7})], [0, 1, 2, 3, 4, 5, 6]);
	}
});

const draw = (seed: number, layer: number): number[] => [...keepByPlace({strategy: 'random', fullWidth: 100, count: 30, seed, layer})];

test('random keeps distinct neurons, ascending, the same for the same seed and layer', t => {
	const keep = draw(5, 2);
	t.is(new Set(keep).size, 30);
	t.deepEqual(keep, [...keep].sort((a, b) => a - b));
	t.true(keep.every(index => index < 100));
	t.deepEqual(draw(5, 2), keep);
});

test('random draws anew for every layer and every seed, also above 32 bits', t => {
	const draws = [draw(5, 2), draw(5, 3), draw(6, 2), draw(2, 5), draw(5 + 2 ** 32, 2)].map(String);
	t.is(new Set(draws).size, draws.length);
});

test('random is the same draw in every release', t => {
	t.deepEqual([...keepByPlace({strategy: 'random', fullWidth: 16, count: 6, seed: 1, layer: 0})], [4, 5, 7, 10, 12, 15]);
});

test('random favours no neuron', t => {
	const counts = new Array<number>(20).fill(0);
	for (let layer = 0; layer < 2000; layer++) {
		for (const index of keepByPlace({strategy: 'random', fullWidth: 20, count: 5, seed: 0, layer})) {
			counts[index]!++;
		}
	}

	// 2000 draws at a share of 1/4: 500 expected, standard deviation 19.4; five of them either way
	t.true(counts.every(count => Math.abs(count - 500) < 97), String(counts));
});

test('the largest scores are kept, ascending by index', t => {
	t.deepEqual([...keepLargest(Float64Array.of(0.1, 5, -2, 3, 4), 3)], [1, 3, 4]);
});

test('ties go to the lower index, infinities included', t => {
	t.deepEqual([...keepLargest(Float64Array.of(1, 2, 1, 2, 1), 3)], [0, 1, 3]);
	t.deepEqual([...keepLargest(Float64Array.of(-Infinity, Infinity, -Infinity, Infinity), 3)], [0, 1, 3]);
	t.deepEqual([...keepLargest(Float32Array.of(0, -0, 0), 2)], [0, 1]);
});

test('NaN is no score', t => {
	t.throws(() => keepLargest(Float64Array.of(1, Number.NaN), 1), {code: 'ERR_BAD_DATA', message: 'Neuron 1: expected a score, got NaN'});
});

for (const count of [0, -1, 1.5, 6, Number.NaN]) {
	test(`refuses to keep ${count} of 5`, t => {
		const expectation = {code: 'ERR_BAD_ARGUMENT', message: `Neurons to keep: expected 1 to 5, got ${count}`};
		t.throws(() => keepLargest(new Float64Array(5), count), expectation);
		t.throws(() => keepByPlace({...place, strategy: 'top', fullWidth: 5, count}), expectation);
	});
}

test('each layer of a ranking is cut for itself', t => {
	t.deepEqual(keepLargestOfLayers(Float64Array.of(1, 2, 3, 30, 20, 10), 2, 2).map(keep => [...keep]), [[1, 2], [0, 1]]);
});

test('a summary tells how clear the cut was', t => {
	t.deepEqual(summarizeScores(Float64Array.of(1, 5, 2, 8), Uint32Array.of(1, 3)), {minKept: 5, meanKept: 6.5, maxDropped: 2, meanDropped: 1.5, shareKept: 13 / 16});
	t.deepEqual(summarizeScores(Float64Array.of(0, 0), Uint32Array.of(0, 1)), {minKept: 0, meanKept: 0, maxDropped: null, meanDropped: null, shareKept: null});
});

test('auto tries every strategy, any other name only itself', t => {
	t.deepEqual(candidateStrategies('auto'), neuronStrategies);
	t.deepEqual(candidateStrategies('wanda'), ['wanda']);
});
