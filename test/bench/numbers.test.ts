import test from 'ava';
import {load} from './load.js';

const {formatBytes, formatRatio, formatSeconds, formatShare, formatSpeed} = await load('numbers.mjs');

for (const [seconds, text] of [[4.2e-7, '0.420 µs'], [0.0005, '500 µs'], [0.0009996, '1.00 ms'], [0.01234, '12.3 ms'], [0.9996, '1.00 s'], [59.9, '59.9 s'], [59.96, '1 min 0 s'], [140.4, '2 min 20 s'], [4000, '66 min 40 s']] as const) {
	test(`${seconds} seconds are ${text}`, t => {
		t.is(formatSeconds(seconds), text);
	});
}

for (const [bytes, text] of [[4096, '4.10 kB'], [999_999, '1.00 MB'], [269_060_552, '269 MB'], [1.5e9, '1.50 GB'], [2e12, '2,000 GB']] as const) {
	test(`${bytes} bytes are ${text}`, t => {
		t.is(formatBytes(bytes), text);
	});
}

test('a speed is told in tokens, else in operations, else in bytes', t => {
	t.is(formatSpeed({tokens: 4096, flops: 1e12, bytes: 0}, 2), '2,048 tokens/s');
	t.is(formatSpeed({tokens: 0, flops: 1e12, bytes: 5}, 2), '500 GFLOP/s');
	t.is(formatSpeed({tokens: 0, flops: 0, bytes: 3e9}, 2), '1.50 GB/s');
	t.is(formatSpeed({}, 2), '-');
});

test('shares and ratios', t => {
	t.is(formatShare(0.8166), '81.7 %');
	t.is(formatRatio(0.9213), '0.921 x');
	t.is(formatRatio(14.96), '15.0 x');
});
