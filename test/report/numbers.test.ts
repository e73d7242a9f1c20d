import test from 'ava';
import {formatBytes, formatChange, formatCount, formatDuration, formatInteger, formatLoss, formatShare, formatSmall} from '../../ts/report/numbers.js';

const cases: readonly (readonly [format: (...values: never[]) => string, values: readonly unknown[], text: string])[] = [
	[formatCount, [0], '0'],
	[formatCount, [999], '999'],
	[formatCount, [1234], '1.23 k'],
	[formatCount, [1_234_567], '1.23 M'],
	[formatCount, [134_515_008], '135 M'],
	[formatCount, [999_949], '1.00 M'],
	[formatCount, [7_250_000_000], '7.25 B'],
	[formatCount, [0.5], '0.500'],
	[formatBytes, [0], '0 B'],
	[formatBytes, [269_060_552], '269 MB'],
	[formatBytes, [999_999_999_999_999_999], '1,000 PB'],
	[formatInteger, [49_152], '49,152'],
	[formatSmall, [0.000_45], '4.5e-4'],
	[formatSmall, [0.001_234], '0.00123'],
	[formatSmall, [0], '0'],
	[formatSmall, [-2.5e-7], '-2.5e-7'],
	[formatSmall, [1_234_567], '1.2e6'],
	[formatSmall, [null], '-'],
	[formatSmall, [Infinity], '-'],
	[formatLoss, [0.8], '0.8000'],
	[formatLoss, [undefined], '-'],
	[formatShare, [0.1234], '12.3 %'],
	[formatShare, [Number.NaN], '-'],
	[formatChange, [0.8, 0.84], '+5.0 %'],
	[formatChange, [100, 66], '-34.0 %'],
	[formatChange, [100, 99.999], '0.0 %'],
	[formatChange, [0, 5], '-'],
	[formatChange, [null, 5], '-'],
	[formatDuration, [820.4], '820 ms'],
	[formatDuration, [999.7], '1.0 s'],
	[formatDuration, [59_949], '59.9 s'],
	[formatDuration, [59_960], '1 min 0 s'],
	[formatDuration, [83_500], '1 min 24 s'],
	[formatDuration, [7_500_000], '2 h 5 min'],
];

for (const [format, values, text] of cases) {
	test(`${format.name}(${values.map(String).join(', ')}) is ${text}`, t => {
		t.is(format(...values as never[]), text);
	});
}
