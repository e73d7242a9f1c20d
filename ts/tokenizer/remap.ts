import {basename} from 'node:path';
import {isRecord, type JsonRecord} from './json.js';

/** A config with new token ids. */
export type RemappedConfig = {
	readonly json: Record<string, unknown>;
	/** What could not be kept as it was, as sentences. */
	readonly warnings: readonly string[];
};

/** New id of an original one, by `keep` (original ids, ascending); undefined if it is dropped. */
export const newIds = (keep: Uint32Array): ((id: number) => number | undefined) => {
	const places = new Map<number, number>();
	keep.forEach((id, place) => places.set(id, place));
	return id => places.get(id);
};

/**
 * Ids that a config.json or generation_config.json needs: special roles and forced tokens, at any depth. Ids that are only
 * forbidden (suppressed tokens, bad words) or biased are none of them. Outside 0 to the vocabulary they may be nonsense.
 */
export const tokenIdsIn = (json: JsonRecord): number[] => {
	const found = new Set<number>();
	remapRecord(json, (id, rule) => {
		if (!droppable.has(rule)) {
			found.add(id);
		}

		return id;
	}, () => undefined);
	return [...found].sort((a, b) => a - b);
};

/**
 * A copy of a config.json or generation_config.json with every token id replaced by its new one. null and negative ids stay.
 *
 * Where a dropped id stood for a role it becomes null, with a warning: the id was outside the vocabulary, or not named to the
 * selection. Lists of forbidden tokens lose what is gone; lists left empty become null, since transformers refuses empty ones.
 */
export const remapTokenIds = (json: JsonRecord, keep: Uint32Array, {file}: {readonly file: string}): RemappedConfig => {
	const newId = newIds(keep);
	const warnings: string[] = [];
	const remapped = remapRecord(json, newId, (path, id) => warnings.push(`${basename(file)}: ${path}: the token ${id} is not in the vocabulary: now null`));
	return {json: remapped, warnings};
};

/**
 * How the ids under a key are written, and what becomes of dropped ones:
 * - `role`: one id or a list of them
 * - `forced`: words that must come, each a list of ids or a list of alternatives
 * - `forbidden`: a list of ids
 * - `sequences`: forbidden lists of ids, gone with any of their tokens
 * - `biases`: [[ids, bias], ...], likewise
 * - `position`: [[position, id], ...]
 */
type Rule = 'role' | 'forced' | 'forbidden' | 'sequences' | 'biases' | 'position';

/** The new id; undefined drops it. */
type MapId = (id: number, rule: Rule) => number | undefined;
type OnLost = (path: string, id: number) => void;

const keyRules: ReadonlyArray<readonly [RegExp, Rule]> = [
	[/^(begin_)?suppress_tokens$/, 'forbidden'],
	[/^bad_words_ids$/, 'sequences'],
	[/^force_words_ids$/, 'forced'],
	[/^sequence_bias$/, 'biases'],
	[/^forced_decoder_ids$/, 'position'],
	[/_token_(id|ids|index|indexes|indices|id_list)$/, 'role'],
];

const remapRecord = (json: JsonRecord, mapId: MapId, onLost: OnLost, path = ''): Record<string, unknown> =>
	Object.fromEntries(Object.entries(json).map(([key, value]) => {
		const rule = keyRules.find(([pattern]) => pattern.test(key))?.[1];
		const here = path === '' ? key : `${path}.${key}`;
		return [key, rule === undefined ? remapInside(value, mapId, onLost, here) : remapRule(value, rule, id => {
			const mapped = mapId(id, rule);
			if (mapped === undefined && !droppable.has(rule)) {
				onLost(here, id);
			}

			return mapped ?? null;
		})];
	}));

// Nothing is lost when a token that must not come can't come any more.
const droppable: ReadonlySet<Rule> = new Set(['forbidden', 'sequences', 'biases']);

const remapInside = (value: unknown, mapId: MapId, onLost: OnLost, path: string): unknown => {
	if (Array.isArray(value)) {
		return value.map((item: unknown) => remapInside(item, mapId, onLost, path));
	}

	return isRecord(value) ? remapRecord(value, mapId, onLost, path) : value;
};

const remapRule = (value: unknown, rule: Rule, newId: (id: number) => number | null): unknown => {
	if (rule !== 'biases' && rule !== 'position') {
		return remapLists(value, rule === 'sequences' || rule === 'forced', newId);
	}

	const pairs = Array.isArray(value) && value.every(pair => Array.isArray(pair) && pair.length === 2) ? value as Array<[unknown, unknown]> : [];
	if (rule === 'position') {
		return pairs.length === 0 ? value : pairs.map(([position, id]) => [position, remapLists(id, false, newId)]);
	}

	const left = pairs.map(([ids, bias]) => [remapLists(ids, true, newId), bias]).filter(([ids]) => ids !== null);
	return pairs.length === 0 ? value : left.length === 0 ? null : left;
};

// An id, or lists of any depth. With `whole`, a list that loses an id is lost itself: it spelled a word.
const remapLists = (value: unknown, whole: boolean, newId: (id: number) => number | null): unknown => {
	if (!Array.isArray(value)) {
		return isId(value) ? newId(value) : value;
	}

	const items = value.map((item: unknown) => remapLists(item, whole, newId));
	const left = items.filter((item, index) => item !== null || value[index] === null);
	const broken = whole && left.length < items.length && value.some(item => isId(item));
	return value.length > 0 && (left.length === 0 || broken) ? null : left;
};

const isId = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0;
