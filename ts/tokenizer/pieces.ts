import {FlabError} from '../errors.js';
import type {Text} from '../calibration/texts.js';
import {createPool} from '../workers/pool.js';
import {inBatches} from './batches.js';
import {encodeTexts, place} from './count.js';
import {allowsCuts} from './cuts.js';
import type {CutAnswer, CutRequest} from './cutworker.js';
import {withRoom} from './dictionary.js';
import {createPieceEncoder, type Encoder, type PieceIds} from './encoder.js';

/** A batch of a corpus, cut into pieces. A piece is a number below `size()` of the reader. */
export type PieceBatch = {
	readonly texts: readonly Text[];
	/** Pieces of all texts, one text after the other. */
	readonly pieces: Uint32Array;
	/** [texts] where the pieces of each text end. */
	readonly ends: Uint32Array;
	/** Places of the texts that may not be cut; they have no pieces. */
	readonly whole: readonly number[];
};

/**
 * Reads a corpus as pieces, each of which is encoded once: texts repeat themselves, and the library takes about two microseconds a
 * token. Cutting goes on on threads of its own.
 */
export type PieceReader = {
	/** Ids that are added to every text (a first <s>, say). */
	readonly specials: Uint32Array;
	/** Runs over texts; `use` gets the batches in order. Before pieces are forgotten, because there are too many, there is `onForget`. */
	readonly read: (texts: AsyncIterable<Text>, use: (batch: PieceBatch) => void | Promise<void>, onForget: () => void) => Promise<void>;
	/** Number of pieces that are known. */
	readonly size: () => number;
	readonly textOf: (piece: number) => string;
	readonly idsOf: (piece: number) => Uint32Array;
	/** Number of ids of a piece. */
	readonly lengthOf: (piece: number) => number;
	/** Ids of pieces by another tokenizer; undefined if that may not be done. @throws as `Encoder.encode` */
	readonly encodeWith: (other: Encoder) => Promise<((pieces: ArrayLike<number>) => Promise<PieceIds>) | undefined>;
	/** Ends the threads. */
	readonly close: () => Promise<void>;
};

export type PieceReaderOptions = {
	readonly encoder: Encoder;
	readonly threads: number;
	readonly signal?: AbortSignal;
	/** For tests: pieces at which all are forgotten, and characters of a batch. */
	readonly maxPieces?: number;
	readonly batchLength?: number;
};

/** About 100 MB with all that belongs to them. */
const maxPiecesKnown = 500_000;
const maxUnitsKnown = 1 << 24;

/** A reader whose threads start with the first batch; undefined where the tokenizer's texts may not be cut. Whoever makes it closes it. */
export const createPieceReader = async ({encoder, threads, signal, maxPieces = maxPiecesKnown, batchLength}: PieceReaderOptions): Promise<PieceReader | undefined> => {
	const pieceEncoder = createPieceEncoder(encoder);
	if (!pieceEncoder) {
		return undefined;
	}

	const specials = (await encoder.encode(['']))[0]!;
	const pool = createPool<CutRequest, CutAnswer>({module: new URL('cutworker.js', import.meta.url), threads, data: pieceEncoder.cuts, signal});
	const store = createStore();
	// Of each thread, the pieces by its own numbers.
	const tables = new Map<number, Translation>();
	const encoding = new Set<Promise<void>>();
	let generation = 0;

	const cut = async (batch: readonly Text[]): Promise<CutAnswer> => pool.run({texts: batch.map(({text}) => text), generation}).catch((cause: unknown) => {
		throw cause instanceof FlabError && cause.code !== 'ERR_ABORTED'
			? new FlabError(cause.code, `${place(batch[0]!)} and what follows: ${cause.message}`, {file: batch[0]!.file, hint: cause.hint, cause})
			: cause;
	});

	const encode = async (first: number, batch: readonly Text[]): Promise<void> => {
		const pieces = store.textsFrom(first);
		const rows = await pieceEncoder.encode(pieces, threads).catch(async error => {
			// Names the text, if it is refused as a whole too.
			await encodeTexts(encoder, batch);
			throw error;
		});
		store.setIds(first, rows);
	};

	const work = async (batch: readonly Text[]): Promise<PieceBatch> => {
		const {thread, fresh, pieces: numbers, ends, whole} = await cut(batch);
		const table = tables.get(thread) ?? {numbers: new Uint32Array(1 << 12), length: 0};
		tables.set(thread, table);
		table.numbers = withRoom(table.numbers, table.length + fresh.length);
		const first = store.size();
		for (const piece of fresh) {
			table.numbers[table.length++] = store.numberOf(piece);
		}

		const pieces = numbers.map(number => table.numbers[number]!);
		const job = encode(first, batch);
		encoding.add(job);
		// What another batch brought up first may be part of this one.
		await Promise.all(encoding).finally(() => encoding.delete(job));
		await checkSample(encoder, specials, {texts: batch, pieces, ends, whole}, async sample => Uint32Array.from(Array.from(sample, piece => [...store.idsOf(piece)]).flat()));
		return {texts: batch, pieces, ends, whole};
	};

	return {
		specials,
		read: async (texts, use, onForget) => inBatches(texts, work, use, {
			signal,
			length: batchLength,
			atOnce: threads + 2,
			pause: () => store.size() < maxPieces && store.units() < maxUnitsKnown ? undefined : () => {
				onForget();
				store.clear();
				tables.clear();
				generation++;
			},
		}),
		size: store.size,
		textOf: store.textOf,
		idsOf: store.idsOf,
		lengthOf: store.lengthOf,
		async encodeWith(other) {
			const otherEncoder = createPieceEncoder(other);
			return otherEncoder && allowsCuts(otherEncoder.cuts, pieceEncoder.cuts)
				? async pieces => otherEncoder.encode(Array.from(pieces, store.textOf), threads)
				: undefined;
		},
		close: pool.close,
	};
};

type Translation = {numbers: Uint32Array; length: number};

/** Texts of a sample are at most this long: a check of all would take as long as doing without pieces. */
const longestSample = 4000;

/**
 * Encodes a text of a batch as a whole as well: that cutting changes nothing is proved for what it is done to (see `pieceTokenizer`),
 * and watched all the same.
 *
 * @throws `ERR_INTERNAL` if its pieces have other tokens
 */
export const checkSample = async (encoder: Encoder, specials: Uint32Array, {texts, pieces, ends, whole}: PieceBatch, encodePieces: (pieces: Uint32Array) => Promise<Uint32Array>): Promise<void> => {
	const sample = texts.findIndex(({text}, index) => text.length <= longestSample && !whole.includes(index));
	if (sample === -1) {
		return;
	}

	const [expected] = await encoder.encode([texts[sample]!.text]);
	const got = await encodePieces(pieces.subarray(ends[sample - 1] ?? 0, ends[sample]));
	// The tokens that are added to every text may be at either end.
	const begins = Array.from({length: specials.length + 1}, (_, begin) => begin);
	if (expected!.length !== got.length + specials.length || !begins.some(begin => got.every((id, at) => id === expected![begin + at]))) {
		throw new FlabError('ERR_INTERNAL', `${place(texts[sample]!)}: cut into pieces the text has other tokens than as a whole`, {file: texts[sample]!.file});
	}
};

/** Pieces with their texts and ids. */
const createStore = () => {
	const numbers = new Map<string, number>();
	let texts: string[] = [];
	let units = 0;
	// Ids of piece i are ids[begins[i] .. begins[i] + lengths[i]).
	let ids = new Uint32Array(1 << 12);
	let begins = new Uint32Array(1 << 12);
	let lengths = new Uint32Array(1 << 12);
	let used = 0;
	return {
		size: () => texts.length,
		units: () => units,
		textOf: (piece: number) => texts[piece]!,
		lengthOf: (piece: number) => lengths[piece]!,
		idsOf: (piece: number) => ids.subarray(begins[piece]!, begins[piece]! + lengths[piece]!),
		textsFrom: (first: number) => texts.slice(first),
		/** Number of a piece, which gets the next one if it is new. */
		numberOf(piece: string): number {
			const found = numbers.get(piece);
			if (found !== undefined) {
				return found;
			}

			units += piece.length;
			numbers.set(piece, texts.length);
			return texts.push(piece) - 1;
		},
		/** Notes the ids of pieces with neighbouring numbers. */
		setIds(first: number, added: PieceIds): void {
			ids = withRoom(ids, used + added.ids.length);
			ids.set(added.ids, used);
			begins = withRoom(begins, first + added.ends.length);
			lengths = withRoom(lengths, first + added.ends.length);
			for (const [at, end] of added.ends.entries()) {
				const begin = added.ends[at - 1] ?? 0;
				begins[first + at] = used + begin;
				lengths[first + at] = end - begin;
			}

			used += added.ids.length;
		},
		clear(): void {
			numbers.clear();
			texts = [];
			units = 0;
			used = 0;
			lengths.fill(0);
		},
	};
};
