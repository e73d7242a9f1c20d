// Numbers as the project's report has them: decimal units, three digits.

const digits = value => Math.abs(value) >= 999.5 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);

/** What stands for a number that there is not. */
export const missing = '-';

/** 0.0123 as '12.3 ms', 140 as '2 min 20 s'. */
export const formatSeconds = seconds => {
	if (seconds >= 59.95) {
		return `${Math.floor(Math.round(seconds) / 60)} min ${Math.round(seconds) % 60} s`;
	}

	const [unit, factor] = [['µs', 1e6], ['ms', 1e3], ['s', 1]].find(([, factor]) => Number((seconds * factor).toPrecision(3)) < 1000);
	return `${digits(seconds * factor)} ${unit}`;
};

/** 269060552 as '269 MB'. */
export const formatBytes = bytes => {
	const [unit, factor] = [['kB', 1e3], ['MB', 1e6], ['GB', 1e9]].find(([unit, factor]) => unit === 'GB' || Number((bytes / factor).toPrecision(3)) < 1000);
	return `${digits(bytes / factor)} ${unit}`;
};

/** What a case did in a second: tokens, floating-point operations or bytes, the first that it counts. */
export const formatSpeed = ({tokens, flops, bytes}, seconds) => {
	const [amount, unit] = [[tokens, 'tokens/s'], [flops / 1e9, 'GFLOP/s'], [bytes / 1e9, 'GB/s']].find(([amount]) => amount > 0) ?? [];
	return amount === undefined ? missing : `${digits(amount / seconds)} ${unit}`;
};

/** 0.1234 as '12.3 %'. */
export const formatShare = share => `${(100 * share).toFixed(1)} %`;

/** How many times as fast: 3.14159 as '3.14 x'. */
export const formatRatio = ratio => `${digits(ratio)} x`;
