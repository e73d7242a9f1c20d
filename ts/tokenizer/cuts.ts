import {alphabetKind} from './bytes.js';
import {isRecord, type JsonRecord} from './json.js';
import type {TokenizerModel} from './model.js';

/**
 * Where texts may be cut so that their pieces, encoded one by one, have the tokens of the whole text. Plain data, for other threads.
 *
 * Cuts are only made between two ASCII characters, and never in a text that contains an added token.
 */
export type Cuts = {
	/** [states, 128] whether to cut before a character, by the state after the one before it (see `nextState`). */
	readonly between: Uint8Array;
	/** Put before a text, unless it is empty or begins with one of `unless`: what the tokenizer puts there, and the tokenizer of pieces does not. */
	readonly prefix: {readonly text: string; readonly unless: readonly string[]};
	/** A regular expression of what a text may not contain. */
	readonly uncut: string;
};

/** Cuts, and the tokenizer.json that encodes the pieces. */
export type PieceTokenizer = {readonly cuts: Cuts; readonly json: JsonRecord};

/** The state after a character: itself, or one of these. */
export const afterOther = 128;
/** After line breaks that follow punctuation. */
export const afterBrokenPunctuation = 129;
export const states = 130;

/** Between pieces when many are encoded at once: a noncharacter, which texts for interchange do not contain, and cut texts never do. */
export const separator = '\u{10FFFE}';

/** The state after a character, by the state before it. */
export const nextState = (state: number, unit: number): number => {
	if (unit >= 128) {
		return afterOther;
	}

	return isLineBreak(unit) && (state === afterBrokenPunctuation || isPunctuation(state)) ? afterBrokenPunctuation : unit;
};

/** How a tokenizer's texts may be cut; undefined where that is not known to be exact. */
export const pieceTokenizer = (model: TokenizerModel): PieceTokenizer | undefined => {
	const found = model.kind === 'bpe' ? byPattern(model) ?? byMerges(model) : undefined;
	const contents = addedContents(model);
	return found && contents && {cuts: {...found.cuts, uncut: [separator, ...contents].map(escape).join('|')}, json: found.json};
};

/** Whether every text that `cuts` cuts is cut in a place where `others` allow it too. */
export const allowsCuts = (others: Cuts, cuts: Cuts): boolean =>
	JSON.stringify(others.prefix) === JSON.stringify(cuts.prefix) && cuts.between.every((cut, place) => cut <= others.between[place]!);

type Found = {readonly cuts: Omit<Cuts, 'uncut'>; readonly json: JsonRecord};

const noPrefix: Cuts['prefix'] = {text: '', unless: []};

/** Whether to cut between the character that a state is after and the next one. */
type Rule = (state: number, next: number) => boolean;

const table = (mayCut: Rule): Uint8Array =>
	Uint8Array.from({length: states * 128}, (_, place) => mayCut(Math.floor(place / 128), place % 128) ? 1 : 0);

// 1. Words by a pattern, and bytes inside them.
//
// The patterns below have no lookbehind, their lookahead only ever looks at what follows whitespace, all of their repetitions are of one
// class of characters and as long as possible, and every character is part of some match. So if no match can contain two certain
// characters side by side, a match ends between them wherever they meet, and neither side's matches depend on the other side. BPE then
// sees the same words. (NFC: no ASCII character composes with the one before it, and where marks after it change it, then into one of its class.)

const contractions = String.raw`'s|'t|'re|'ve|'m|'ll|'d`;

// Source: GPT-2. `ByteLevel` brings it along.
const gpt2Cuts: Rule = (before, after) => (
	(isVisible(before) && (isBlank(after) || isLineBreak(after)))
	|| commonCuts(before, after)
	|| (isPunctuation(before) && before !== apostrophe && isLetter(after))
);

// Source: tiktoken's cl100k, Llama 3, Qwen 2: a letter may follow a punctuation mark, line breaks follow punctuation; and all of them at once.
const cl100kCuts: Rule = (before, after) => (
	(isVisible(before) && isBlank(after))
	|| ((isLetter(before) || isDigit(before)) && isLineBreak(after))
	|| (before === afterBrokenPunctuation && !isLineBreak(after))
	|| commonCuts(before, after)
);

const commonCuts = (before: number, after: number): boolean =>
	((isLetter(before) || isDigit(before)) && isPunctuation(after))
	|| (isDigit(before) && isLetter(after))
	|| ((isLetter(before) || isPunctuation(before)) && isDigit(after));

const cl100kPatterns: ReadonlySet<unknown> = new Set(['{1,3}', ''].map(digits =>
	String.raw`(?i:${contractions})|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`));

const byPattern = ({json}: TokenizerModel): Found | undefined => {
	const {normalizer, pre_tokenizer: splitter} = json;
	const isPlain = normalizer === null || normalizer === undefined || (isRecord(normalizer) && normalizer.type === 'NFC');
	const rule = isPlain ? patternCuts(splitter) : undefined;
	return rule && {cuts: {between: table(rule), prefix: noPrefix}, json};
};

const patternCuts = (splitter: unknown): Rule | undefined => {
	const steps: readonly unknown[] = isRecord(splitter) && splitter.type === 'Sequence' && Array.isArray(splitter.pretokenizers) ? splitter.pretokenizers : [splitter];
	const [last, ...others] = [...steps].reverse();
	if (!isRecord(last) || last.type !== 'ByteLevel' || last.add_prefix_space !== false) {
		return undefined;
	}

	// Digits split words further, by no more than the two characters at a border.
	if (last.use_regex === true) {
		return others.every(step => isRecord(step) && step.type === 'Digits') ? gpt2Cuts : undefined;
	}

	const [split] = others;
	const isKnown = last.use_regex === false && others.length === 1 && isRecord(split) && split.type === 'Split' && split.behavior === 'Isolated' && split.invert === false
		&& isRecord(split.pattern) && cl100kPatterns.has(split.pattern.Regex);
	return isKnown ? cl100kCuts : undefined;
};

// 2. BPE over whole texts, spaces written as '▁' (SentencePiece).
//
// Merging starts from characters and always joins two neighbours. Where no product has two certain characters side by side, nothing is ever
// merged across their border, and the merges on either side keep their order: cutting there changes nothing. A character that has no token
// becomes its bytes, so there must be no merges of those, and no unknown token, neighbours of which would be one.

const spaceMark = '▁';

const byMerges = (model: TokenizerModel): Found | undefined => {
	const {prefix, suffix, ignoreMerges, merges, tokens} = model;
	const plain = prefix === '' && suffix === '' && !ignoreMerges && alphabetKind(model) === 'byte-fallback';
	const space = plain ? spaceMarking(model.json) : undefined;
	if (!space || merges.some(({left, right}) => [left, right].some(id => /^<0x[\dA-F]{2}>$/.test(tokens[id]!)))) {
		return undefined;
	}

	const joined = new Set<number>();
	for (const {product} of merges) {
		const text = tokens[product]!.replaceAll(spaceMark, ' ');
		for (let at = 1; at < text.length; at++) {
			joined.add(text.charCodeAt(at - 1) * 65_536 + text.charCodeAt(at));
		}
	}

	const isJoined = (before: number, after: number): boolean => joined.has(before * 65_536 + after);
	const between = table((state, after) => (
		state === afterBrokenPunctuation ? !lineBreaks.some(before => isJoined(before, after)) : state !== afterOther && !isJoined(state, after)
	));
	return {cuts: {between, prefix: space.prefix}, json: space.json};
};

// How spaces become marks, and one is put before a text; and the same without the latter.
const spaceMarking = (json: JsonRecord): {readonly prefix: Cuts['prefix']; readonly json: JsonRecord} | undefined => {
	const {normalizer, pre_tokenizer: splitter} = json;
	if (isSame(normalizer, {type: 'Sequence', normalizers: [{type: 'Prepend', prepend: spaceMark}, replaceSpaces]}) && (splitter ?? null) === null) {
		return {prefix: {text: ' ', unless: []}, json: {...json, normalizer: replaceSpaces}};
	}

	const scheme = isRecord(splitter) ? splitter.prepend_scheme : undefined;
	const isMetaspace = ['first', 'always', 'never'].includes(String(scheme))
		&& [true, false].some(split => isSame(splitter, {type: 'Metaspace', replacement: spaceMark, prepend_scheme: scheme, split}));
	return isMetaspace && (normalizer ?? null) === null
		? {prefix: scheme === 'never' ? noPrefix : {text: ' ', unless: [' ', spaceMark]}, json: {...json, pre_tokenizer: {...splitter as JsonRecord, prepend_scheme: 'never'}}}
		: undefined;
};

const replaceSpaces = {type: 'Replace', pattern: {String: ' '}, content: spaceMark};

const isSame = (value: unknown, expected: unknown): boolean => {
	if (isRecord(value) && isRecord(expected)) {
		const names = Object.keys(expected);
		return Object.keys(value).length === names.length && names.every(name => isSame(value[name], expected[name]));
	}

	return Array.isArray(value) && Array.isArray(expected) ? value.length === expected.length && value.every((item, place) => isSame(item, expected[place])) : value === expected;
};

// What a text must not contain, or added tokens would be found in it. Normalization may put marks around what is looked for, or take them for
// spaces; undefined where it may do more.
const addedContents = ({json}: TokenizerModel): readonly string[] | undefined => {
	const {normalizer} = json;
	const listed = (Array.isArray(json.added_tokens) ? json.added_tokens : []) as readonly JsonRecord[];
	const contents = listed.map(({content}) => String(content).replaceAll(/^[ ▁]+|[ ▁]+$/g, ''));
	const isNfc = isRecord(normalizer) && normalizer.type === 'NFC';
	return contents.some(content => content === '' || /[ ▁]/.test(content)) || (isNfc && listed.some(({normalized}) => normalized !== false)) ? undefined : contents;
};

const escape = (text: string): string => text.replaceAll(/[$()*+./?[\\\]^{|}-]/g, String.raw`\$&`);

const apostrophe = 0x27;
const lineBreaks = [0x0A, 0x0D] as const;
const isBlank = (unit: number): boolean => unit === 0x20 || unit === 0x09;
const isLineBreak = (unit: number): boolean => unit === 0x0A || unit === 0x0D;
const isDigit = (unit: number): boolean => unit >= 0x30 && unit <= 0x39;
const isLetter = (unit: number): boolean => (unit >= 0x41 && unit <= 0x5A) || (unit >= 0x61 && unit <= 0x7A);
const isVisible = (unit: number): boolean => unit >= 0x21 && unit <= 0x7E;
const isPunctuation = (unit: number): boolean => isVisible(unit) && !isLetter(unit) && !isDigit(unit);
