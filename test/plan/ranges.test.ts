import test from 'ava';
import {decodeRanges, encodeRanges, type Range} from '../../ts/plan/ranges.js';

for (const indices of [[], [0], [0, 1, 2, 7], [3, 5, 7], [4_294_967_295]]) {
	test(`indices survive as ranges: ${JSON.stringify(indices)}`, t => {
		t.deepEqual([...decodeRanges(encodeRanges(Uint32Array.from(indices)), 2 ** 32)], indices);
	});
}

test('neighbours share a range, which is half-open', t => {
	t.deepEqual(encodeRanges(Uint32Array.of(0, 1, 2, 7)), [[0, 3], [7, 8]]);
});

test('every random keep-list survives', t => {
	for (let bits = 0; bits < 256; bits++) {
		const indices = Uint32Array.from([0, 1, 2, 3, 4, 5, 6, 7].filter(index => (bits >> index) & 1));
		t.deepEqual(decodeRanges(encodeRanges(indices), 8), indices);
	}
});

for (const indices of [[1, 1], [2, 1]]) {
	test(`refuses to encode ${JSON.stringify(indices)}`, t => {
		t.throws(() => encodeRanges(Uint32Array.from(indices)), {code: 'ERR_INTERNAL', message: `A keep-list must ascend: 1 comes after ${indices[0]}`});
	});
}

const refusals: readonly (readonly [ranges: unknown, message: string])[] = [
	['0-3', 'ids: expected an array of [begin, end), got "0-3"'],
	[[3], 'ids.0: expected [begin, end), two whole numbers, got 3'],
	[[[0, 1, 2]], 'ids.0: expected [begin, end), two whole numbers, got [0,1,2]'],
	[[[0, 1.5]], 'ids.0: expected [begin, end), two whole numbers, got [0,1.5]'],
	[[[-1, 2]], 'ids.0: expected a begin from 0 and a larger end, got [-1,2]'],
	[[[2, 2]], 'ids.0: expected a begin from 0 and a larger end, got [2,2]'],
	[[[0, 3], [2, 5]], 'ids.1: expected a range that begins after 3, got [2,5]'],
	[[[0, 3], [3, 5]], 'ids.1: expected a range that begins after 3, got [3,5]'],
	[[[0, 11]], 'ids.0: expected an end of at most 10, got [0,11]'],
];

for (const [ranges, message] of refusals) {
	test(`refuses the ranges ${JSON.stringify(ranges)}`, t => {
		t.throws(() => decodeRanges(ranges as readonly Range[], 10, 'ids'), {code: 'ERR_BAD_PLAN', message});
	});
}
