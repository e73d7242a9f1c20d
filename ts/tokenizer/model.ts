import {FlabError} from '../errors.js';
import {isRecord, namedTypes, type JsonRecord} from './json.js';

/** A token matched in the text before the model sees it. `id` is the one that the tokenizers library gives it. */
export type AddedToken = {readonly id: number; readonly content: string; readonly special: boolean};

/** A BPE merge by token ids; its place in the list is its rank. */
export type Merge = {readonly left: number; readonly right: number; readonly product: number};

/** What pruning has to know of a tokenizer.json. Ids are those of the tokenizers library, which ignores the `id` of an added token. */
export type TokenizerModel = {
	readonly kind: 'bpe' | 'unigram';
	/** The whole tokenizer.json. */
	readonly json: JsonRecord;
	/** Path for messages. */
	readonly file: string;
	/** Text of each id, model and added tokens; a hole is undefined. */
	readonly tokens: ReadonlyArray<string | undefined>;
	/** Id of each text of the model's own vocabulary. */
	readonly ids: ReadonlyMap<string, number>;
	readonly added: readonly AddedToken[];
	/** Empty for Unigram. */
	readonly merges: readonly Merge[];
	/** Score of each piece; empty for BPE. */
	readonly scores: readonly number[];
	readonly unknown: number | undefined;
	/** Text reaches the model as the 256 symbols of its bytes. */
	readonly byteLevel: boolean;
	/** Characters that the vocabulary lacks become the tokens `<0x00>` to `<0xFF>`. */
	readonly byteFallback: boolean;
	/** Words that are in the vocabulary are emitted without merging. */
	readonly ignoreMerges: boolean;
	/** Put before every character of a word but the first (BPE). */
	readonly prefix: string;
	/** Put after the last character of a word (BPE). */
	readonly suffix: string;
};

/**
 * The model in the content of a tokenizer.json.
 *
 * @throws `ERR_BAD_TOKENIZER` for models other than BPE and Unigram, and for a vocabulary or merges that don't fit together.
 */
export const readModel = (json: JsonRecord, file: string): TokenizerModel => {
	const model = isRecord(json.model) ? json.model : fail(file, 'expected a "model" object');
	const kind = kindOf(model, file);
	const [vocabulary, scores] = kind === 'bpe' ? [bpeVocabulary(model, file), []] : unigramVocabulary(model, file);
	const ids = new Map(vocabulary);
	const tokens: Array<string | undefined> = [];
	for (const [token, id] of vocabulary) {
		if (tokens[id] !== undefined) {
			fail(file, `the tokens ${JSON.stringify(tokens[id])} and ${JSON.stringify(token)} have the same id ${id}`);
		}

		tokens[id] = token;
	}

	const added = addedTokens(json, ids, vocabulary.length, file);
	for (const {id, content} of added) {
		if (tokens[id] !== undefined && tokens[id] !== content) {
			fail(file, `the tokens ${JSON.stringify(tokens[id])} and ${JSON.stringify(content)} have the same id ${id}`);
		}

		tokens[id] = content;
	}

	const prefix = textOr(model.continuing_subword_prefix, '');
	const unknown = kind === 'bpe' ? ids.get(textOr(model.unk_token, '')) : model.unk_id;
	return {
		kind, json, file, tokens, ids, added, scores, prefix,
		merges: kind === 'bpe' ? bpeMerges(model, ids, prefix, file) : [],
		unknown: typeof unknown === 'number' ? unknown : undefined,
		byteLevel: ['normalizer', 'pre_tokenizer', 'decoder'].some(part => namedTypes(json[part]).has('ByteLevel')),
		byteFallback: model.byte_fallback === true,
		ignoreMerges: model.ignore_merges === true,
		suffix: textOr(model.end_of_word_suffix, ''),
	};
};

/** Id of a token's text as the library resolves it: added tokens first. */
export const idOfToken = (model: TokenizerModel, token: string): number | undefined =>
	model.added.find(({content}) => content === token)?.id ?? model.ids.get(token);

/** The merges of a tokenizer.json or merges.txt as pairs of texts: pairs, or strings with one space; "#version" lines are none. */
export const mergePairs = (merges: readonly unknown[], file: string): Array<readonly [left: string, right: string]> => {
	const pairs: Array<readonly [string, string]> = [];
	for (const [index, merge] of merges.entries()) {
		if (typeof merge === 'string' && merge.startsWith('#version')) {
			continue;
		}

		const parts: unknown = typeof merge === 'string' ? merge.split(' ') : merge;
		if (!Array.isArray(parts) || parts.length !== 2 || parts.some(part => typeof part !== 'string')) {
			return fail(file, `merge ${index}: expected two tokens, got ${JSON.stringify(merge)}`);
		}

		pairs.push(parts as unknown as [string, string]);
	}

	return pairs;
};

// Old files name no type; then the fields tell, as they do to the library.
const kindOf = (model: JsonRecord, file: string): 'bpe' | 'unigram' => {
	const type = model.type ?? (Array.isArray(model.vocab) ? 'Unigram' : Array.isArray(model.merges) ? 'BPE' : 'WordLevel');
	if (type === 'BPE' || type === 'Unigram') {
		return type === 'BPE' ? 'bpe' : 'unigram';
	}

	throw new FlabError('ERR_BAD_TOKENIZER', `${file}: model type: expected BPE or Unigram, got ${JSON.stringify(type)}`, {
		file, hint: 'Only BPE and Unigram vocabularies can be pruned; leave the vocabulary as it is.',
	});
};

const bpeVocabulary = (model: JsonRecord, file: string): Array<[string, number]> => {
	const entries = isRecord(model.vocab) ? Object.entries(model.vocab) : fail(file, 'expected "model.vocab" to be an object');
	const bad = entries.find(([, id]) => !Number.isInteger(id) || (id as number) < 0 || (id as number) > 0x7F_FF_FF_FF);
	if (bad !== undefined) {
		fail(file, `id of the token ${JSON.stringify(bad[0])}: expected an integer of at least 0, got ${JSON.stringify(bad[1])}`);
	}

	return entries as Array<[string, number]>;
};

const unigramVocabulary = (model: JsonRecord, file: string): [Array<[string, number]>, number[]] => {
	const pieces: readonly unknown[] = Array.isArray(model.vocab) ? model.vocab : fail(file, 'expected "model.vocab" to be an array');
	const bad = pieces.findIndex(piece => !Array.isArray(piece) || typeof piece[0] !== 'string' || typeof piece[1] !== 'number');
	if (bad !== -1) {
		fail(file, `piece ${bad}: expected a text and a score, got ${JSON.stringify(pieces[bad])}`);
	}

	const typed = pieces as ReadonlyArray<readonly [string, number]>;
	return [typed.map(([piece], id) => [piece, id]), typed.map(([, score]) => score)];
};

const bpeMerges = (model: JsonRecord, ids: ReadonlyMap<string, number>, prefix: string, file: string): Merge[] => {
	const merges: readonly unknown[] = Array.isArray(model.merges) ? model.merges : fail(file, 'expected "model.merges" to be an array');
	const idOf = (token: string): number =>
		ids.get(token) ?? fail(file, `the merges need the token ${JSON.stringify(token)}, the vocabulary lacks it`);
	return mergePairs(merges, file).map(([left, right]) => ({left: idOf(left), right: idOf(right), product: idOf(left + right.slice(prefix.length))}));
};

// Source: the library (tokenizers 0.23) takes an added token's id from the model's vocabulary, else the next free one from its size on.
const addedTokens = (json: JsonRecord, ids: ReadonlyMap<string, number>, size: number, file: string): AddedToken[] => {
	const listed: readonly unknown[] = Array.isArray(json.added_tokens) ? json.added_tokens : [];
	const added = new Map<string, AddedToken>();
	let next = size;
	for (const [index, token] of listed.entries()) {
		if (!isRecord(token) || typeof token.content !== 'string') {
			return fail(file, `added token ${index}: expected an object with "content", got ${JSON.stringify(token)}`);
		}

		if (token.content !== '') {
			const id = added.get(token.content)?.id ?? ids.get(token.content) ?? next++;
			added.set(token.content, {id, content: token.content, special: token.special === true});
		}
	}

	return [...added.values()];
};

const textOr = (value: unknown, otherwise: string): string => typeof value === 'string' ? value : otherwise;

const fail = (file: string, what: string): never => {
	throw new FlabError('ERR_BAD_TOKENIZER', `${file}: ${what}`, {file, hint: 'The file is damaged or was edited: fetch it again.'});
};
