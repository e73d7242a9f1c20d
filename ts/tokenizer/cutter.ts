import {nextState, states, type Cuts} from './cuts.js';
import {createDictionary, hashSeed, hashUnit, withRoom} from './dictionary.js';

/** Texts cut into pieces. Numbers of pieces count from 0 in the order in which they were first seen since `clear`. */
export type CutTexts = {
	/** Numbers of the pieces of all texts, one text after the other. */
	readonly pieces: Uint32Array;
	/** [texts] where the pieces of each text end. */
	readonly ends: Uint32Array;
	/** Places of the texts that may not be cut; they have no pieces. */
	readonly whole: readonly number[];
	/** The pieces that were not there before. */
	readonly fresh: readonly string[];
};

export type Cutter = {
	readonly cut: (texts: readonly string[]) => CutTexts;
	readonly clear: () => void;
};

/** Cuts texts in all places where `cuts` allows it. */
export const createCutter = ({between, prefix, uncut}: Cuts): Cutter => {
	const dictionary = createDictionary();
	const uncuttable = new RegExp(uncut);
	const follow = Uint8Array.from({length: states * 128}, (_, place) => nextState(Math.floor(place / 128), place % 128));
	const other = nextState(0, 128);

	return {
		cut(texts) {
			const ends = new Uint32Array(texts.length);
			const whole: number[] = [];
			const fresh: string[] = [];
			let pieces = new Uint32Array(1 << 16);
			let count = 0;
			let known = dictionary.size();
			const add = (text: string, begin: number, end: number, hash: number): void => {
				const number = dictionary.numberOf(text, begin, end, hash);
				if (number === known) {
					known++;
					fresh.push(text.slice(begin, end));
				}

				pieces = withRoom(pieces, count + 1);
				pieces[count++] = number;
			};

			for (const [place, given] of texts.entries()) {
				if (uncuttable.test(given)) {
					whole.push(place);
				} else {
					const text = given === '' || prefix.unless.some(begin => given.startsWith(begin)) ? given : prefix.text + given;
					let begin = 0;
					let hash = hashSeed;
					let state = other;
					for (let at = 0; at < text.length; at++) {
						const unit = text.charCodeAt(at);
						if (unit < 128) {
							const place = state * 128 + unit;
							if (between[place] === 1) {
								add(text, begin, at, hash);
								begin = at;
								hash = hashSeed;
							}

							state = follow[place]!;
						} else {
							state = other;
						}

						hash = hashUnit(hash, unit);
					}

					if (begin < text.length) {
						add(text, begin, text.length, hash);
					}
				}

				ends[place] = count;
			}

			return {pieces: pieces.slice(0, count), ends, whole, fresh};
		},
		clear: dictionary.clear,
	};
};
