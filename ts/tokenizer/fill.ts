import type {Derivation} from './closure.js';
import {byFrequency} from './frequent.js';
import type {TokenizerModel} from './model.js';

export type FillInput = {
	readonly model: TokenizerModel;
	readonly derive: (id: number) => Derivation | undefined;
	readonly counts: Float64Array;
	readonly kept: ReadonlySet<number>;
	readonly multipleOf: number;
	readonly modelVocabulary: number;
};

/**
 * Tokens to add so that the size becomes a multiple: the next most frequent real ones, each with the tokens on its way, none that
 * can't be reached; then rows of the embedding that no token has. Where both run out the size stays short of the multiple.
 */
export const fillUp = ({model, derive, counts, kept, multipleOf, modelVocabulary}: FillInput): Array<{readonly id: number; readonly reason: 'fill' | 'padding'}> => {
	const size = Math.min(modelVocabulary, Math.ceil(kept.size / multipleOf) * multipleOf);
	const all = new Set(kept);
	let candidates = byFrequency(counts, model.tokens.flatMap((token, id) => token === undefined || kept.has(id) || id >= modelVocabulary ? [] : [id]));
	// A token whose way is too long for the room left is passed over; the shorter ways inside it may still fit, so go round again.
	for (let before = -1; all.size < size && before !== all.size;) {
		before = all.size;
		candidates = candidates.filter(id => !all.has(id) && !tryAdd(id, all, size, derive));
	}

	const rows = Array.from({length: modelVocabulary}, (_, id) => id)
		.filter(id => model.tokens[id] === undefined && !kept.has(id))
		.slice(0, size - all.size);
	return [
		...[...all].filter(id => !kept.has(id)).map(id => ({id, reason: 'fill' as const})),
		...rows.map(id => ({id, reason: 'padding' as const})),
	];
};

// Whether `id` is done with: added, or never to be.
const tryAdd = (id: number, all: Set<number>, size: number, derive: (id: number) => Derivation | undefined): boolean => {
	if (all.size >= size) {
		return false;
	}

	const derivation = derive(id);
	if (!derivation?.reachable) {
		return true;
	}

	const missing = derivation.through.filter(token => !all.has(token));
	if (missing.length > size - all.size) {
		return false;
	}

	for (const token of missing) {
		all.add(token);
	}

	return true;
};
