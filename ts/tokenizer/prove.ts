import {FlabError, throwIfAborted} from '../errors.js';
import type {Control} from '../progress.js';
import type {Text} from '../calibration/texts.js';
import {inBatches} from './batches.js';
import {alphabet} from './bytes.js';
import {createDerivations} from './closure.js';
import {encodeTexts, place} from './count.js';
import type {Encoder} from './encoder.js';
import {createJudge} from './judge.js';
import type {PieceReader} from './pieces.js';
import {newIds} from './remap.js';

/** What was compared. */
export type TokenizerProof = {
	readonly texts: number;
	readonly tokensBefore: number;
	/** More than before where dropped tokens fell apart: the ratio is the fertility. */
	readonly tokensAfter: number;
	/** Texts that use a dropped token, and so other tokens than before. */
	readonly differing: number;
	readonly firstDifference?: {readonly file: string; readonly record: number};
	/** Kept tokens that their own derivation reaches, before and after. */
	readonly reachable: number;
};

export type ProveTokenizerInput = {
	readonly before: Encoder;
	readonly after: Encoder;
	/** Original ids, ascending. */
	readonly keep: Uint32Array;
	readonly texts: AsyncIterable<Text>;
	/** Every text must have the same tokens, as after the selection `used` of the same corpus. */
	readonly exact: boolean;
	/** Bytes of the sources, for progress; 0 or absent if unknown. */
	readonly totalBytes?: number;
	/** Of the encoder `before`: compares the texts' pieces, and whole texts only where pieces differ in what they should not. */
	readonly pieces?: PieceReader;
};

/**
 * Proves a pruned tokenizer on a corpus: a text whose tokens are all kept has the same tokens, renumbered; any other decodes to
 * the same text; everything that makes all bytes encodable is there; every kept token that could be reached still can.
 *
 * @throws `ERR_PROOF` naming file, record, position and both tokens, or the token that was lost.
 */
export const proveTokenizer = async ({before, after, keep, texts, exact, totalBytes = 0, pieces}: ProveTokenizerInput, {signal, onProgress}: Control = {}): Promise<TokenizerProof> => {
	const newId = newIds(keep);
	proveAlphabet(before, after, newId);
	const reachable = await proveReachable(before, after, keep, signal);
	const sums = {texts: 0, tokensBefore: 0, tokensAfter: 0, differing: 0};
	let first: TokenizerProof['firstDifference'];
	const addDifferent = (count: number, text: Text | undefined): void => {
		sums.differing += count;
		first ??= text && {file: text.file, record: text.record};
	};

	const addBatch = (batch: readonly Text[]): void => {
		sums.texts += batch.length;
		onProgress?.({phase: 'prove', done: batch.at(-1)?.bytesRead ?? sums.texts, total: totalBytes, unit: totalBytes === 0 ? 'texts' : 'bytes'});
	};

	const encode = async (batch: readonly Text[]) => Promise.all([encodeTexts(before, batch), encodeTexts(after, batch)]);
	/** Compares whole texts; gives the places of those that differ. */
	const compare = async ([rowsBefore, rowsAfter]: readonly [Uint32Array[], Uint32Array[]], batch: readonly Text[]): Promise<readonly number[]> => {
		const changed: number[] = [];
		for (const [index, text] of batch.entries()) {
			const mapped = Array.from(rowsBefore[index]!, id => newId(id) ?? -1);
			const position = firstMismatch(mapped, rowsAfter[index]!);
			if (position !== -1 && (exact || !mapped.includes(-1))) {
				throw mismatch(text, position, [before, rowsBefore[index]!], [after, rowsAfter[index]!]);
			}

			if (position !== -1) {
				changed.push(index);
			}

			sums.tokensBefore += mapped.length;
			sums.tokensAfter += rowsAfter[index]!.length;
		}

		await proveDecoding(changed.map(index => batch[index]!), [before, changed.map(index => rowsBefore[index]!)], [after, changed.map(index => rowsAfter[index]!)]);
		return changed;
	};

	const judge = pieces && await createJudge(pieces, {before, after, newId, exact});
	if (pieces && judge) {
		await judge.prepare(() => {
			throwIfAborted(signal);
			onProgress?.({phase: 'prove', done: 0, total: totalBytes, unit: totalBytes === 0 ? 'texts' : 'bytes'});
		});
		await pieces.read(texts, async batch => {
			const {differing, unclear, tokensBefore, tokensAfter} = await judge.look(batch);
			const whole = unclear.map(index => batch.texts[index]!);
			const changed = whole.length === 0 ? [] : await compare(await encode(whole), whole);
			const places = [...differing, ...changed.map(index => unclear[index]!)].sort((a, b) => a - b);
			sums.tokensBefore += tokensBefore;
			sums.tokensAfter += tokensAfter;
			addDifferent(places.length, batch.texts[places[0] ?? -1]);
			addBatch(batch.texts);
		}, judge.forget);
	} else {
		await inBatches(texts, encode, async (rows, batch) => {
			const changed = await compare(rows, batch);
			addDifferent(changed.length, batch[changed[0] ?? -1]);
			addBatch(batch);
		}, {signal});
	}

	return {...sums, ...first && {firstDifference: first}, reachable};
};

/** An encoder and ids it gave. */
type Encoded<Ids> = readonly [encoder: Encoder, ids: Ids];

const firstMismatch = (mapped: readonly number[], after: Uint32Array): number => {
	const position = mapped.findIndex((id, index) => id !== after[index]);
	return position === -1 && mapped.length !== after.length ? mapped.length : position;
};

const proveAlphabet = (before: Encoder, after: Encoder, newId: (id: number) => number | undefined): void => {
	for (const id of alphabet(before.model)) {
		const token = before.model.tokens[id]!;
		if (newId(id) === undefined || after.model.ids.get(token) !== newId(id)) {
			throw new FlabError('ERR_PROOF', `Token ${id} (${JSON.stringify(token)}): expected the pruned tokenizer to keep it, since texts could need it; it is gone`);
		}
	}
};

/** How many derivations to do before looking whether the caller gave up. */
const derivationsAtOnce = 2000;

const proveReachable = async (before: Encoder, after: Encoder, keep: Uint32Array, signal: AbortSignal | undefined): Promise<number> => {
	const [deriveBefore, deriveAfter] = [createDerivations(before.model), createDerivations(after.model)];
	let reachable = 0;
	for (const [place, id] of keep.entries()) {
		if (place % derivationsAtOnce === 0) {
			await new Promise(resolve => {
				setImmediate(resolve);
			});
			throwIfAborted(signal);
		}

		if (deriveBefore(id)?.reachable) {
			reachable++;
			if (!deriveAfter(place)?.reachable || after.model.tokens[place] !== before.model.tokens[id]) {
				throw new FlabError('ERR_PROOF', `Token ${id} (${JSON.stringify(before.model.tokens[id])}): expected the pruned tokenizer to reach it as token ${place}, it can't`);
			}
		}
	}

	return reachable;
};

const proveDecoding = async (texts: readonly Text[], [before, idsBefore]: Encoded<readonly Uint32Array[]>, [after, idsAfter]: Encoded<readonly Uint32Array[]>): Promise<void> => {
	const [expected, got] = await Promise.all([before.decode(idsBefore), after.decode(idsAfter)]);
	const index = expected.findIndex((text, at) => text !== got[at]);
	if (index !== -1) {
		const character = [...expected[index]!].findIndex((letter, at) => letter !== [...got[index]!.slice(0, 2 * (at + 1))][at]);
		throw new FlabError('ERR_PROOF', `${place(texts[index]!)}: the pruned tokenizer's tokens stand for another text, from character ${character} on`, {file: texts[index]!.file});
	}
};

const mismatch = (text: Text, position: number, [before, idsBefore]: Encoded<Uint32Array>, [after, idsAfter]: Encoded<Uint32Array>): FlabError =>
	new FlabError(
		'ERR_PROOF',
		`${place(text)}, position ${position}: expected ${shown(before, idsBefore[position])}, the pruned tokenizer gives ${shown(after, idsAfter[position])}`,
		{file: text.file, hint: 'The corpus must be the one that was counted; if it is, this is a defect of flab-pruner.'},
	);

const shown = ({model}: Encoder, id: number | undefined): string => id === undefined ? 'no token' : `token ${id} (${JSON.stringify(model.tokens[id])})`;
