import {withRoom} from './dictionary.js';
import {idsAt, type Encoder} from './encoder.js';
import {checkSample, type PieceBatch, type PieceReader} from './pieces.js';

/** What is known of a piece. */
const verdicts = {none: 0, same: 1, different: 2, unclear: 3} as const;

/** Pieces that are judged before the caller is asked again whether to go on. */
const piecesAtOnce = 5000;

type Comparison = {readonly before: Encoder; readonly after: Encoder; readonly newId: (id: number) => number | undefined; readonly exact: boolean};

/**
 * Compares pieces, each once. A text is the same if all of its pieces are; it differs if some piece lost a token and still decodes to the
 * same text; everything else is unclear, and a matter of the whole text. Undefined if the pruned tokenizer's texts may not be cut.
 */
export const createJudge = async (reader: PieceReader, {before, after, newId, exact}: Comparison) => {
	const encodeAfter = await reader.encodeWith(after);
	const specialsAfter = (await after.encode(['']))[0]!;
	const guard = decodingGuard(before, newId);
	if (!encodeAfter || reader.specials.length !== specialsAfter.length || reader.specials.some((id, at) => newId(id) !== specialsAfter[at])) {
		return undefined;
	}

	const mapped = Int32Array.from(before.model.tokens, (_, id) => newId(id) ?? -1);
	let verdict = new Uint8Array(1 << 12);
	let lengths = new Uint32Array(1 << 12);
	const judge = async (pieces: Uint32Array): Promise<void> => {
		const rows = await encodeAfter(pieces);
		const lost: number[] = [];
		for (const [index, piece] of pieces.entries()) {
			const [idsBefore, idsAfter] = [reader.idsOf(piece), idsAt(rows, index)];
			const isSame = idsBefore.length === idsAfter.length && idsBefore.every((id, at) => mapped[id] === idsAfter[at]);
			lengths[piece] = idsAfter.length;
			verdict[piece] = isSame ? verdicts.same : verdicts.unclear;
			if (!isSame && !exact && idsBefore.some(id => mapped[id] === -1)) {
				lost.push(index);
			}
		}

		if (lost.length > 0 && guard) {
			const [expected, got] = await Promise.all([
				before.decode(lost.map(index => Uint32Array.of(guard.before, ...reader.idsOf(pieces[index]!)))),
				after.decode(lost.map(index => Uint32Array.of(guard.after, ...idsAt(rows, index)))),
			]);
			for (const [at, index] of lost.entries()) {
				verdict[pieces[index]!] = expected[at] === got[at] ? verdicts.different : verdicts.unclear;
			}
		}
	};

	const judgeAll = async (pieces: Uint32Array, onPart?: () => void): Promise<void> => {
		verdict = withRoom(verdict, reader.size());
		lengths = withRoom(lengths, reader.size());
		for (let begin = 0; begin < pieces.length; begin += piecesAtOnce) {
			onPart?.();
			await judge(pieces.subarray(begin, begin + piecesAtOnce));
		}
	};

	return {
		/** Judges the pieces that are known already; `onPart` is called now and then. */
		prepare: async (onPart: () => void) => judgeAll(Uint32Array.from({length: reader.size()}, (_, piece) => piece), onPart),
		/** What a batch comes to; the tokens are those of the texts that are not unclear. */
		async look(batch: PieceBatch) {
			const {texts, pieces, ends, whole} = batch;
			await judgeAll(Uint32Array.from(new Set(pieces.filter(piece => (verdict[piece] ?? verdicts.none) === verdicts.none))));
			await checkSample(after, specialsAfter, batch, async sample => (await encodeAfter(sample)).ids);
			const found = {differing: [] as number[], unclear: [] as number[], tokensBefore: 0, tokensAfter: 0};
			for (const [index] of texts.entries()) {
				const own = pieces.subarray(ends[index - 1] ?? 0, ends[index]);
				const worst = own.reduce((worst, piece) => Math.max(worst, verdict[piece]!), whole.includes(index) ? verdicts.unclear : verdicts.same);
				if (worst === verdicts.unclear) {
					found.unclear.push(index);
				} else {
					found.tokensBefore += own.reduce((sum, piece) => sum + reader.lengthOf(piece), reader.specials.length);
					found.tokensAfter += own.reduce((sum, piece) => sum + lengths[piece]!, specialsAfter.length);
				}

				if (worst === verdicts.different) {
					found.differing.push(index);
				}
			}

			return found;
		},
		forget(): void {
			verdict.fill(verdicts.none);
		},
	};
};

// Decoders treat the first token of a text in a way of their own (its space goes). A piece is decoded behind a letter, as it is in its text.
const decodingGuard = ({model}: Encoder, newId: (id: number) => number | undefined): {readonly before: number; readonly after: number} | undefined => {
	const before = model.tokens.findIndex((token, id) => token !== undefined && /^[a-z]$/.test(token) && model.ids.get(token) === id && newId(id) !== undefined);
	return before === -1 ? undefined : {before, after: newId(before)!};
};
