import {badArgument} from '../errors.js';

/** Which of the corpus's tokens stay. */
export type VocabularyRule =
	/** All that occur. */
	| {readonly kind: 'used'}
	/** Those that occur at least this often. */
	| {readonly kind: 'min-count'; readonly minCount: number}
	/** This many, the most frequent first. */
	| {readonly kind: 'top'; readonly count: number}
	/** The fewest that make up this share of the corpus's tokens, above 0 and at most 1. */
	| {readonly kind: 'coverage'; readonly share: number};

/**
 * Ids of the corpus's tokens that a rule chooses, the most frequent first; of equals the lower id first.
 *
 * @throws `ERR_BAD_ARGUMENT` for a rule out of range.
 */
export const frequentTokens = (counts: Float64Array, rule: VocabularyRule): number[] => {
	const ranked = byFrequency(counts, [...counts.keys()].filter(id => counts[id]! > 0));
	switch (rule.kind) {
		case 'used': {
			return ranked;
		}

		case 'min-count': {
			check('minCount', 'a whole number of at least 1', rule.minCount, rule.minCount >= 1 && Number.isInteger(rule.minCount));
			return ranked.filter(id => counts[id]! >= rule.minCount);
		}

		case 'top': {
			check('count', 'a whole number of at least 0', rule.count, rule.count >= 0 && Number.isInteger(rule.count));
			return ranked.slice(0, rule.count);
		}

		case 'coverage': {
			check('share', 'a number above 0 and at most 1', rule.share, rule.share > 0 && rule.share <= 1);
			return ranked.slice(0, coveringCount(counts, ranked, rule.share));
		}

		default: {
			throw badArgument('selection', "'used', 'min-count', 'top' or 'coverage'", (rule as {kind: unknown}).kind);
		}
	}
};

/** `ids` by falling count; of equals the lower id first. */
export const byFrequency = (counts: Float64Array, ids: readonly number[]): number[] =>
	[...ids].sort((a, b) => (counts[b] ?? 0) - (counts[a] ?? 0) || a - b);

const coveringCount = (counts: Float64Array, ranked: readonly number[], share: number): number => {
	const wanted = share * ranked.reduce((sum, id) => sum + counts[id]!, 0);
	let covered = 0;
	const last = ranked.findIndex(id => {
		covered += counts[id]!;
		return covered >= wanted;
	});
	return last + 1;
};

const check = (name: string, expected: string, value: unknown, holds: boolean): void => {
	if (!holds) {
		throw badArgument(name, expected, value);
	}
};
