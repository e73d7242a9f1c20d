import {AddedToken, Tokenizer} from 'tokenizers';
import {FlabError} from '../errors.js';
import {pieceTokenizer, separator, type Cuts} from './cuts.js';
import {isRecord, type JsonRecord} from './json.js';
import {readModel, type TokenizerModel} from './model.js';

/** The first tokens of a text, and how much of the text they stand for. */
export type TruncatedEncoding = {
	readonly ids: Uint32Array;
	/** UTF-8 bytes of the text up to the end of the last token. */
	readonly bytes: number;
};

/** A tokenizer at work, without truncation, padding or dropout. Calls run on all cores, off the event loop. */
export type Encoder = {
	readonly model: TokenizerModel;
	/** Token ids of each text. @throws `ERR_BAD_DATA` if the tokenizer refuses a text. */
	readonly encode: (texts: readonly string[]) => Promise<Uint32Array[]>;
	/** At most `maxTokens` ids of each text. */
	readonly encodeTruncated: (texts: readonly string[], maxTokens: number) => Promise<TruncatedEncoding[]>;
	/** Texts of ids, special tokens included. Without a decoder the tokens' own texts are joined (the library would put spaces between). */
	readonly decode: (ids: readonly Uint32Array[]) => Promise<string[]>;
};

/** A tokenizer for pieces of texts; special tokens are not added. */
export type PieceEncoder = {
	readonly cuts: Cuts;
	/** Token ids of each piece, worked on by at most `threads`. @throws `ERR_BAD_DATA` if the tokenizer refuses one of them. */
	readonly encode: (pieces: readonly string[], threads: number) => Promise<PieceIds>;
};

/** Ids of many pieces: those of piece i are ids[ends[i - 1] .. ends[i]). */
export type PieceIds = {readonly ids: Uint32Array; readonly ends: Uint32Array};

/** Ids of one piece, without a copy. */
export const idsAt = ({ids, ends}: PieceIds, piece: number): Uint32Array => ids.subarray(ends[piece - 1] ?? 0, ends[piece]);

export type EncoderOptions = {
	/** Add what the post-processor adds (a first <s>, say), as transformers does by default. Default true. */
	readonly addSpecialTokens?: boolean;
};

/**
 * Loads a tokenizer, from files as read or from the text of a tokenizer.json.
 *
 * @throws `ERR_BAD_TOKENIZER` if the library refuses it.
 */
export const createEncoder = (source: {readonly text: string; readonly model: TokenizerModel} | string, {addSpecialTokens = true}: EncoderOptions = {}): Encoder => {
	const text = typeof source === 'string' ? source : source.text;
	const model = typeof source === 'string' ? readModel(parse(source), 'tokenizer.json') : source.model;
	const tokenizer = loaded.get(model) ?? load(text, model);
	loaded.set(model, tokenizer);
	const encodings = async (texts: readonly string[]) =>
		tokenizer.encodeBatch([...texts], {addSpecialTokens}).catch(refused);

	return {
		model,
		encode: async texts => (await encodings(texts)).map(encoding => Uint32Array.from(encoding.getIds())),
		encodeTruncated: async (texts, maxTokens) => (await encodings(texts)).map((encoding, index) => {
			const ids = Uint32Array.from(encoding.getIds());
			const text = texts[index]!;
			return ids.length <= maxTokens
				? {ids, bytes: Buffer.byteLength(text)}
				: {ids: ids.slice(0, maxTokens), bytes: prefixBytes(text, encoding.getOffsets(), maxTokens)};
		}),
		decode: async ids => isRecord(model.json.decoder)
			? tokenizer.decodeBatch(ids.map(row => [...row]), false)
			: ids.map(row => Array.from(row, id => model.tokens[id] ?? '').join('')),
	};
};

/** The same tokenizer for pieces of texts; undefined where texts may not be cut. */
export const createPieceEncoder = ({model}: Encoder): PieceEncoder | undefined => {
	const found = pieceTokenizer(model);
	if (!found) {
		return undefined;
	}

	// Many pieces go through the library as one text: an added token between them keeps them apart before anything else is done.
	const tokenizer = load(JSON.stringify(found.json), {...model, json: found.json});
	tokenizer.addAddedTokens([new AddedToken(separator, true)]);
	const mark = tokenizer.tokenToId(separator)!;
	const encodeJoined = async (pieces: readonly string[]): Promise<PieceIds> => {
		const ends = new Uint32Array(pieces.length);
		if (pieces.length === 0) {
			return {ids: new Uint32Array(), ends};
		}

		const encoding = await tokenizer.encode(pieces.join(separator), null, {addSpecialTokens: false}).catch(refused);
		const ids = Uint32Array.from(encoding.getIds());
		let length = 0;
		let piece = 0;
		for (const id of ids) {
			if (id === mark) {
				ends[piece++] = length;
			} else {
				ids[length++] = id;
			}
		}

		ends[piece] = length;
		if (piece !== pieces.length - 1) {
			throw new FlabError('ERR_INTERNAL', `${pieces.length} pieces of texts became ${piece + 1} encodings`);
		}

		return {ids: ids.slice(0, length), ends};
	};

	return {
		cuts: found.cuts,
		async encode(pieces, threads) {
			const parts = Math.max(1, Math.min(threads, Math.floor(pieces.length / smallestPart)));
			const length = Math.ceil(pieces.length / parts);
			return joined(await Promise.all(Array.from({length: parts}, async (_, part) => encodeJoined(pieces.slice(part * length, (part + 1) * length)))));
		},
	};
};

const joined = (parts: readonly PieceIds[]): PieceIds => {
	if (parts.length === 1) {
		return parts[0]!;
	}

	const ids = new Uint32Array(parts.reduce((sum, part) => sum + part.ids.length, 0));
	const ends = new Uint32Array(parts.reduce((sum, part) => sum + part.ends.length, 0));
	let [idsBefore, piecesBefore] = [0, 0];
	for (const part of parts) {
		ids.set(part.ids, idsBefore);
		ends.set(part.ends.map(end => end + idsBefore), piecesBefore);
		idsBefore += part.ids.length;
		piecesBefore += part.ends.length;
	}

	return {ids, ends};
};

/** Pieces that are worth a thread of their own. */
const smallestPart = 500;

const refused = (cause: unknown): never => {
	throw new FlabError('ERR_BAD_DATA', `The tokenizer could not encode the text: ${(cause as Error).message}`, {cause});
};

// Loading takes as long as encoding half a megabyte.
const loaded = new WeakMap<TokenizerModel, Tokenizer>();

const load = (text: string, model: TokenizerModel): Tokenizer => {
	try {
		const tokenizer = Tokenizer.fromString(withoutDropout(text, model.json));
		// Both may be configured in the file, and would cut or stretch what is counted.
		tokenizer.disableTruncation();
		tokenizer.disablePadding();
		return tokenizer;
	} catch (cause) {
		throw new FlabError('ERR_BAD_TOKENIZER', `${model.file}: ${(cause as Error).message}`, {
			file: model.file, cause, hint: 'The tokenizers library (0.23) could not load this file: fetch it again, or save it with a newer version.',
		});
	}
};

// Dropout is for training: with it two encodings of one text differ.
const withoutDropout = (text: string, json: JsonRecord): string => {
	const {model} = json;
	return isRecord(model) && typeof model.dropout === 'number' ? JSON.stringify({...json, model: {...model, dropout: null}}) : text;
};

// Offsets count characters (code points) of the text; tokens that stand for no text have [0, 0].
const prefixBytes = (text: string, offsets: ReadonlyArray<readonly number[]>, tokens: number): number => {
	let end = 0;
	for (let token = 0; token < tokens; token++) {
		end = Math.max(end, offsets[token]?.[1] ?? 0);
	}

	let units = 0;
	for (let character = 0; character < end && units < text.length; character++) {
		units += text.codePointAt(units)! > 0xFF_FF ? 2 : 1;
	}

	return Buffer.byteLength(text.slice(0, units));
};

const parse = (text: string): JsonRecord => {
	try {
		return JSON.parse(text) as JsonRecord;
	} catch (cause) {
		throw new FlabError('ERR_BAD_TOKENIZER', `tokenizer.json: not valid JSON: ${(cause as Error).message}`, {cause});
	}
};
