import type {TokenizerFiles} from './files.js';
import {isRecord, writeJson, type JsonRecord} from './json.js';
import {idOfToken, mergePairs, type TokenizerModel} from './model.js';
import {newIds} from './remap.js';

/** Files to write, and files that must not be carried over. */
export type RewrittenTokenizer = {
	/** Content of every tokenizer file that changes, by name. */
	readonly files: ReadonlyMap<string, string>;
	/** Files that can't be pruned and would contradict the others. */
	readonly dropped: ReadonlyArray<{readonly file: string; readonly reason: string}>;
};

/** New id of an old one; undefined if it was dropped. */
type NewId = (id: number) => number | undefined;

/**
 * The tokenizer's files with only the tokens of `keep` (original ids, ascending), numbered anew in the same order.
 *
 * Merges stay if both parts and the product stay, in their order, so the encoding of texts made of kept tokens is unchanged
 * provided that `keep` is closed under derivations (see createDerivations).
 */
export const rewriteTokenizer = (files: TokenizerFiles, keep: Uint32Array): RewrittenTokenizer => {
	const newId = newIds(keep);
	const {model, config, specialTokensMap, vocabulary, merges, addedTokens} = files;
	const rewritten: Array<[string, string | undefined]> = [
		['tokenizer.json', writeJson(tokenizerJson(model, newId))],
		['tokenizer_config.json', config && writeJson(configJson(model, config, newId))],
		['special_tokens_map.json', specialTokensMap && writeJson(configJson(model, specialTokensMap, newId))],
		['vocab.json', vocabulary && writeJson(tokenMap(vocabulary, newId))],
		['merges.txt', merges === undefined ? undefined : mergesText(model, merges, newId)],
		['added_tokens.json', addedTokens && writeJson(tokenMap(addedTokens, newId))],
	];
	return {
		files: new Map(rewritten.filter((entry): entry is [string, string] => entry[1] !== undefined)),
		dropped: files.unprunable.map(file => ({file, reason: 'holds the whole vocabulary in a format that is not rewritten; tokenizer.json says the same'})),
	};
};

const tokenizerJson = (model: TokenizerModel, newId: NewId): JsonRecord => {
	const {json} = model;
	const rewritten = {
		...json,
		...json.padding !== undefined && {padding: padding(json.padding, newId)},
		added_tokens: addedTokenList(model, newId),
		...json.post_processor !== undefined && {post_processor: withNewIds(json.post_processor, newId)},
		model: model.kind === 'bpe' ? bpeModel(model, newId, []) : unigramModel(model, newId),
	};
	// The library numbers added tokens from the size of the model's vocabulary on. Where that would not give the new ids (the old
	// ones had holes), the model's vocabulary names them too.
	const misplaced = misplacedTokens(model, rewritten, newId);
	return misplaced.length === 0 ? rewritten : {...rewritten, model: bpeModel(model, newId, misplaced)};
};

// A padding token that the model has no row for is none.
const padding = (value: unknown, newId: NewId): unknown =>
	isRecord(value) && typeof value.pad_id === 'number' && newId(value.pad_id) === undefined ? null : withNewIds(value, newId);

const misplacedTokens = (model: TokenizerModel, rewritten: JsonRecord, newId: NewId): Array<readonly [string, number]> => {
	if (model.kind !== 'bpe') {
		return [];
	}

	const outside = model.added.filter(({id, content}) => !model.ids.has(content) && newId(id) !== undefined);
	const size = (rewritten.model as {vocab: ReadonlyMap<string, number>}).vocab.size;
	return outside.every(({id}, index) => newId(id) === size + index) ? [] : outside.map(({id, content}) => [content, newId(id)!]);
};

const addedTokenList = (model: TokenizerModel, newId: NewId): unknown[] => {
	const ids = new Map(model.added.map(({id, content}) => [content, id]));
	const listed = (model.json.added_tokens ?? []) as readonly JsonRecord[];
	return listed
		.map(token => ({...token, id: newId(ids.get(token.content as string) ?? -1)}))
		.filter(({id}) => id !== undefined);
};

// By id, as the library writes it: the order of the file is lost to JavaScript for tokens like "7".
const bpeModel = ({json, ids, merges}: TokenizerModel, newId: NewId, more: ReadonlyArray<readonly [string, number]>): JsonRecord => {
	const source = json.model as JsonRecord;
	const isKept = (id: number): boolean => newId(id) !== undefined;
	return {
		...source,
		vocab: byId([...more, ...[...ids].map(([token, id]) => [token, newId(id)] as const)]),
		merges: writtenMerges(source.merges as readonly unknown[])
			.filter((_, rank) => isKept(merges[rank]!.left) && isKept(merges[rank]!.right) && isKept(merges[rank]!.product)),
	};
};

// Strings or pairs, without the lines that are no merges: the place is the rank.
const writtenMerges = (merges: readonly unknown[]): unknown[] => merges.filter(merge => typeof merge !== 'string' || !merge.startsWith('#version'));

const unigramModel = ({json, unknown}: TokenizerModel, newId: NewId): JsonRecord => {
	const source = json.model as JsonRecord;
	return {
		...source,
		...typeof source.unk_id === 'number' && {unk_id: unknown === undefined ? null : newId(unknown) ?? null},
		vocab: (source.vocab as readonly unknown[]).filter((_, id) => newId(id) !== undefined),
	};
};

const mergesText = (model: TokenizerModel, text: string, newId: NewId): string => {
	const lines = text.split(/\r?\n/).filter(line => line !== '');
	const isKept = (token: string): boolean => newId(model.ids.get(token) ?? -1) !== undefined;
	const merges = mergePairs(lines, 'merges.txt')
		.filter(([left, right]) => isKept(left) && isKept(right) && isKept(left + right.slice(model.prefix.length)))
		.map(pair => pair.join(' '));
	return `${[...lines.filter(line => line.startsWith('#version')), ...merges].join('\n')}\n`;
};

// vocab.json and added_tokens.json: token to id.
const tokenMap = (map: JsonRecord, newId: NewId): ReadonlyMap<string, number> =>
	byId(Object.entries(map).map(([token, id]) => [token, newId(id as number)] as const));

const byId = (entries: ReadonlyArray<readonly [string, number | undefined]>): ReadonlyMap<string, number> => new Map(entries
	.filter((entry): entry is readonly [string, number] => entry[1] !== undefined)
	.sort(([, a], [, b]) => a - b));

const configJson = (model: TokenizerModel, config: JsonRecord, newId: NewId): JsonRecord => {
	const rewritten = withNewIds(config, newId) as JsonRecord;
	const decoder = config.added_tokens_decoder;
	return isRecord(decoder) ? {...rewritten, added_tokens_decoder: new Map(decoderEntries(model, decoder, newId))} : rewritten;
};

const decoderEntries = (model: TokenizerModel, decoder: JsonRecord, newId: NewId): Array<[string, unknown]> => Object.entries(decoder)
	.map(([key, token]): [number | undefined, unknown] => {
		// The library's id, should the file disagree with it.
		const known = isRecord(token) && typeof token.content === 'string' ? idOfToken(model, token.content) : undefined;
		return [newId(known ?? Number(key)), token];
	})
	.filter(([id]) => id !== undefined)
	.map(([id, token]) => [String(id), token]);

/** A copy with every id replaced: `pad_id`, `bos_token_id` and the like, `id` beside `content`, `ids`, and the pairs of `sep` and `cls`. */
const withNewIds = (value: unknown, newId: NewId, key = '', siblings?: JsonRecord): unknown => {
	if (typeof value === 'number') {
		const isId = /^(pad_id|ids|sep|cls|.*_token_id)$/.test(key) || (key === 'id' && siblings?.content !== undefined);
		return isId ? newId(value) ?? null : value;
	}

	if (Array.isArray(value)) {
		return value.map(item => withNewIds(item, newId, key));
	}

	return isRecord(value)
		? Object.fromEntries(Object.entries(value).map(([itemKey, item]) => [itemKey, withNewIds(item, newId, itemKey, value)]))
		: value;
};
