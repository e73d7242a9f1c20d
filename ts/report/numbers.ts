// Numbers as people read them. Units are decimal (1 MB is 10^6 bytes); three digits count.

/** 1234567 as '1.23 M'; B stands for 10^9, as is usual for parameters. */
export const formatCount = (count: number): string => scaled(count, ['', 'k', 'M', 'B', 'T']);

/** 269060552 as '269 MB'. */
export const formatBytes = (bytes: number): string => scaled(bytes, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']);

/** 49152 as '49,152'. */
export const formatInteger = (value: number): string => value.toLocaleString('en-US', {maximumFractionDigits: 0});

/** A divergence, score or difference: 0.00045 as '4.5e-4', 0.0123 as '0.0123'; '-' if it was not measured. */
export const formatSmall = (value: number | null | undefined): string => {
	if (value === null || value === undefined || !Number.isFinite(value)) {
		return missing;
	}

	const size = Math.abs(value);
	return value === 0 || (size >= 0.001 && size < 100_000) ? String(Number(value.toPrecision(3))) : value.toExponential(1).replace('e+', 'e');
};

/** A loss with four decimals; '-' if it was not measured. */
export const formatLoss = (loss: number | null | undefined): string => typeof loss === 'number' ? loss.toFixed(4) : missing;

/** 0.1234 as '12.3 %'. */
export const formatShare = (share: number | null | undefined): string => typeof share === 'number' && Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : missing;

/** How `after` differs from `before`, as '+1.2 %'; '-' if either was not measured. */
export const formatChange = (before: number | null | undefined, after: number | null | undefined): string => {
	if (typeof before !== 'number' || typeof after !== 'number' || before === 0) {
		return missing;
	}

	const text = formatShare(after / before - 1).replace(/^-(?=0\.0 )/, '');
	return text.startsWith('-') || text.startsWith('0.0 ') ? text : `+${text}`;
};

/** 83500 ms as '1 min 24 s', 820 as '820 ms'. */
export const formatDuration = (durationMs: number): string => {
	if (durationMs < 999.5) {
		return `${Math.round(durationMs)} ms`;
	}

	if (durationMs < 59_950) {
		return `${(durationMs / 1000).toFixed(1)} s`;
	}

	const seconds = Math.round(durationMs / 1000);
	return seconds < 3600 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s` : `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`;
};

/** What stands for a number that there is not. */
export const missing = '-';

const scaled = (value: number, units: readonly string[]): string => {
	let size = value;
	let unit = 0;
	// Compared after rounding, or 999,950 would be '1000 k'.
	while (Number(Math.abs(size).toPrecision(3)) >= 1000 && unit < units.length - 1) {
		size /= 1000;
		unit++;
	}

	const whole = (Number.isInteger(size) && unit === 0) || Math.abs(size) >= 999.5;
	const digits = whole ? formatInteger(size) : size.toPrecision(3);
	return `${digits} ${units[unit]}`.trim();
};
