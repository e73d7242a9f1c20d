import type {TokenizerModel} from './model.js';

/** How far below the worst piece an unknown character scores. Source: SentencePiece's kUnkPenalty. */
const unknownPenalty = 10;

/**
 * Best segmentation of a short text by a Unigram model, as ids; unknown characters give the unknown id, or -1 without one.
 *
 * As in the library, the leftmost start wins among equal scores, and a character is unknown where it is no piece by itself.
 */
export const createSegmenter = ({ids, scores, unknown}: TokenizerModel): ((text: string) => readonly number[]) => {
	const lowest = scores.reduce((low, score) => Math.min(low, score), Number.POSITIVE_INFINITY);
	const longest = [...ids.keys()].reduce((length, piece) => Math.max(length, piece.length), 0);
	return text => {
		const best: Array<{readonly score: number; readonly start: number; readonly id: number} | undefined> = [{score: 0, start: 0, id: -1}];
		const offer = (start: number, end: number, id: number, score: number): void => {
			const total = best[start]!.score + score;
			if (best[end] === undefined || total > best[end]!.score) {
				best[end] = {score: total, start, id};
			}
		};

		for (let start = 0, width = 1; start < text.length; start += width) {
			width = text.codePointAt(start)! > 0xFF_FF ? 2 : 1;
			for (let end = start + 1; end <= Math.min(text.length, start + longest); end++) {
				const id = ids.get(text.slice(start, end));
				if (id !== undefined) {
					offer(start, end, id, scores[id]!);
				}
			}

			if (!ids.has(text.slice(start, start + width))) {
				offer(start, start + width, unknown ?? -1, lowest - unknownPenalty);
			}
		}

		const pieces: number[] = [];
		for (let end = text.length; end > 0; end = best[end]!.start) {
			pieces.unshift(best[end]!.id);
		}

		return pieces;
	};
};
