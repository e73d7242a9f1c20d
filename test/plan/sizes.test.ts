import test from 'ava';
import {resolveDrop, resolveFfnWidth, widthWarnings} from '../../ts/plan/sizes.js';

const shares: readonly (readonly [share: number, multipleOf: number, fullWidth: number, width: number])[] = [
	[0.9, 64, 1536, 1408], // 1382.4: 1408 is 25.6 away, 1344 38.4
	[0.5, 64, 1536, 768],
	[0.001, 64, 1536, 64], // at least one multiple
	[0.97, 64, 1536, 1472], // 1489.9: 1472 is 17.9 away, all of them 46.1
	[0.9, 64, 100, 64],
	[0.5, 1, 7, 4],
];

for (const [share, multipleOf, fullWidth, width] of shares) {
	test(`a share of ${share} of ${fullWidth} in multiples of ${multipleOf} is ${width}`, t => {
		t.is(resolveFfnWidth({width: share, multipleOf}, fullWidth), width);
	});
}

test('a width is taken as it is when it is a multiple, or alignment is off', t => {
	t.is(resolveFfnWidth({width: 128, multipleOf: 64}, 1000), 128);
	t.is(resolveFfnWidth({width: 77, multipleOf: 1}, 1000), 77);
});

const refusals: readonly (readonly [width: number, fullWidth: number, message: string, hint: string])[] = [
	[1001, 1000, 'ffn.width: expected fewer neurons than the 1000 that there are, got 1001', 'The nearest allowed width is 960; ffn.multipleOf (--ffn-multiple) 1 allows any.'],
	[1000, 1000, 'ffn.width: expected fewer neurons than the 1000 that there are, got 1000', 'The nearest allowed width is 960; ffn.multipleOf (--ffn-multiple) 1 allows any.'],
	[0.9999, 576, 'ffn.width: expected fewer neurons than the 576 that there are, got 0.9999, which is all of them in multiples of 64', 'The nearest allowed width is 512; ffn.multipleOf (--ffn-multiple) 1 allows any.'],
	[0.5, 40, 'ffn.width: expected fewer neurons than the 40 that there are, got 0.5, which is all of them in multiples of 64', 'ffn.multipleOf (--ffn-multiple) 1 allows any.'],
	[130, 1000, 'ffn.width: expected a multiple of 64, got 130', 'The nearest allowed widths are 128 and 192; ffn.multipleOf (--ffn-multiple) 1 allows any.'],
	[999, 1000, 'ffn.width: expected a multiple of 64, got 999', 'The nearest allowed width is 960; ffn.multipleOf (--ffn-multiple) 1 allows any.'],
	[10, 1000, 'ffn.width: expected a multiple of 64, got 10', 'The nearest allowed width is 64; ffn.multipleOf (--ffn-multiple) 1 allows any.'],
];

for (const [width, fullWidth, message, hint] of refusals) {
	test(`refuses a width of ${width} of ${fullWidth} in multiples of 64`, t => {
		const error = t.throws(() => resolveFfnWidth({width, multipleOf: 64}, fullWidth), {code: 'ERR_BAD_ARGUMENT', message});
		t.is((error as {hint?: string}).hint, hint);
	});
}

for (const [width, warnings] of [
	[0.01, ['FFN: a share of 0.01 of 576 neurons is 6; 64 are kept (11.1 %), the nearest multiple of 64']],
	[0.5, ['FFN: a share of 0.5 of 576 neurons is 288; 320 are kept (55.6 %), the nearest multiple of 64']],
	[0.8, []],
	[64, []],
] as const) {
	test(`a width of ${width} of 576 is ${warnings.length === 0 ? 'taken without a word' : 'met with a warning'}`, t => {
		t.deepEqual(widthWarnings({width, multipleOf: 64}, 576), warnings);
	});
}

test('layers are dropped by number or by list, which is sorted', t => {
	t.deepEqual(resolveDrop({drop: 3}, 4), {count: 3});
	t.deepEqual(resolveDrop({drop: [3, 0]}, 4), {count: 2, list: [0, 3]});
});

const drops: readonly (readonly [drop: number | readonly number[], layers: number, message: string])[] = [
	[4, 4, 'layers.drop: expected 1 to 3 of 4 layers, got 4'],
	[0, 4, 'layers.drop: expected 1 to 3 of 4 layers, got 0'],
	[1.5, 4, 'layers.drop: expected 1 to 3 of 4 layers, got 1.5'],
	[1, 1, 'layers.drop: expected no layers, as there is only one, got 1'],
	[[4], 4, 'layers.drop: expected layers from 0 to 3, got 4'],
	[[-1], 4, 'layers.drop: expected layers from 0 to 3, got -1'],
	[[2, 1, 2], 4, 'layers.drop: expected every layer once, got [2,1,2]'],
	[[0, 1, 2, 3], 4, 'layers.drop: expected 1 to 3 of 4 layers, got 4'],
];

for (const [drop, layers, message] of drops) {
	test(`refuses to drop ${JSON.stringify(drop)} of ${layers}`, t => {
		t.throws(() => resolveDrop({drop}, layers), {code: 'ERR_BAD_ARGUMENT', message});
	});
}
