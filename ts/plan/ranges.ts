import {FlabError, describe} from '../errors.js';
import {complaintLine, type Complaint} from './complaints.js';

/** Half-open: begin is in it, end is not. */
export type Range = readonly [begin: number, end: number];

/** Ascending indices as the fewest half-open ranges: [0, 1, 2, 7] is [[0, 3], [7, 8]]. @throws ERR_INTERNAL if they do not ascend */
export const encodeRanges = (indices: Uint32Array): readonly Range[] => {
	const ranges: [number, number][] = [];
	let previous = -1;
	for (const index of indices) {
		if (index <= previous) {
			throw new FlabError('ERR_INTERNAL', `A keep-list must ascend: ${index} comes after ${previous}`);
		}

		const last = ranges.at(-1);
		if (last?.[1] === index) {
			last[1] = index + 1;
		} else {
			ranges.push([index, index + 1]);
		}

		previous = index;
	}

	return ranges;
};

/**
 * The indices of half-open ranges, ascending, all below `limit`.
 *
 * @param name where the ranges stand, for messages
 * @throws ERR_BAD_PLAN if they are not the fewest ranges of ascending indices below `limit`
 */
export const decodeRanges = (ranges: readonly Range[], limit: number, name = 'keep'): Uint32Array => {
	const complaint = rangesComplaint(ranges, limit, name);
	if (complaint !== undefined) {
		throw new FlabError('ERR_BAD_PLAN', complaintLine(complaint));
	}

	const indices = new Uint32Array(countRanges(ranges));
	let place = 0;
	for (const [begin, end] of ranges) {
		for (let index = begin; index < end; index++) {
			indices[place++] = index;
		}
	}

	return indices;
};

/** Number of indices in the ranges. */
export const countRanges = (ranges: readonly Range[]): number => ranges.reduce((sum, [begin, end]) => sum + end - begin, 0);

/** The first thing wrong with ranges that stand at `name`, if anything. */
export const rangesComplaint = (ranges: readonly Range[], limit: number, name: string): Complaint | undefined => {
	if (!Array.isArray(ranges)) {
		return {path: name, expected: 'an array of [begin, end)', got: describe(ranges)};
	}

	let previousEnd = -1;
	for (const [place, range] of ranges.entries()) {
		const expected = expectedRange(range, previousEnd, limit);
		if (expected !== undefined) {
			return {path: `${name}.${place}`, expected, got: describe(range)};
		}

		previousEnd = range[1];
	}

	return undefined;
};

const expectedRange = (range: Range, previousEnd: number, limit: number): string | undefined => {
	if (!Array.isArray(range) || range.length !== 2 || !range.every(Number.isSafeInteger)) {
		return '[begin, end), two whole numbers';
	}

	const [begin, end] = range;
	if (begin < 0 || end <= begin) {
		return 'a begin from 0 and a larger end';
	}

	// Touching ranges are refused as well: one keep-list has one way to be written, so equal plans have equal bytes.
	if (begin <= previousEnd) {
		return `a range that begins after ${previousEnd}`;
	}

	return end > limit ? `an end of at most ${limit}` : undefined;
};
