import type {Merge} from './model.js';

/** What is left of a word after all merges, and every symbol that existed on the way. */
export type Merged = {readonly result: readonly number[]; readonly seen: readonly number[]};

/**
 * Merges the symbols of one word, as the tokenizers library does (its `Word::merge_all`).
 *
 * The merge with the lowest rank goes first, the leftmost of equals.
 */
export const createMerger = (merges: readonly Merge[]): ((symbols: readonly number[]) => Merged) => {
	const span = 1 + merges.reduce((highest, {left, right}) => Math.max(highest, left, right), 0);
	// A pair listed twice has the rank of its last place, as in the library's map.
	const ranks = new Map(merges.map(({left, right}, rank) => [left * span + right, rank]));
	const rankOf = (left: number, right: number): number => (left < span && right < span ? ranks.get(left * span + right) : undefined) ?? -1;
	return symbols => mergeWord(symbols, merges, rankOf);
};

// `next` and `previous` link the places of the word that still hold a symbol; `symbols.length` and -1 are its ends.
const mergeWord = (symbols: readonly number[], merges: readonly Merge[], rankOf: (left: number, right: number) => number): Merged => {
	const word = [...symbols];
	const alive = word.map(() => true);
	const next = word.map((_, place) => place + 1);
	const previous = word.map((_, place) => place - 1);
	const seen = new Set(word);
	const queue: Array<{readonly place: number; readonly rank: number}> = [];
	const enqueue = (place: number): void => {
		const right = place < 0 ? word.length : next[place]!;
		const rank = right < word.length ? rankOf(word[place]!, word[right]!) : -1;
		if (rank >= 0) {
			queue.push({place, rank});
		}
	};

	word.forEach((_, place) => enqueue(place));
	while (queue.length > 0) {
		const {place, rank} = takeFirst(queue);
		const right = next[place]!;
		const {product} = merges[rank]!;
		// Other symbols may stand there by now.
		if (!alive[place] || right >= word.length || rankOf(word[place]!, word[right]!) !== rank) {
			continue;
		}

		word[place] = product;
		alive[right] = false;
		next[place] = next[right]!;
		if (next[right]! < word.length) {
			previous[next[right]!] = place;
		}

		seen.add(product);
		enqueue(previous[place]!);
		enqueue(place);
	}

	return {result: word.filter((_, place) => alive[place]), seen: [...seen]};
};

// Tokens are short, so a scan beats a heap.
const takeFirst = (queue: Array<{readonly place: number; readonly rank: number}>): {readonly place: number; readonly rank: number} => {
	let first = 0;
	for (let index = 1; index < queue.length; index++) {
		const {rank, place} = queue[index]!;
		if (rank < queue[first]!.rank || (rank === queue[first]!.rank && place < queue[first]!.place)) {
			first = index;
		}
	}

	const found = queue[first]!;
	queue[first] = queue.at(-1)!;
	queue.pop();
	return found;
};
