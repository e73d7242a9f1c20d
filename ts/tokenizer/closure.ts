import {byteFallbackTokens} from './bytes.js';
import {createMerger} from './merger.js';
import type {TokenizerModel} from './model.js';
import {createSegmenter} from './segmenter.js';

/** How a token comes about. */
export type Derivation = {
	/** Whether the model, given the token's own text as a word, merges it into exactly this token. */
	readonly reachable: boolean;
	/** Every token that exists at some moment on the way, the first characters and the token itself included; only itself if unreachable. */
	readonly through: readonly number[];
};

/**
 * Derivations of a model's tokens, by simulation; undefined for ids that the model itself lacks (added tokens, holes).
 *
 * What happens inside a final token does not depend on its surroundings: no merge crosses its border, and those inside keep
 * their order. So a vocabulary that contains the derivations of its own tokens encodes every text made of them just as the
 * full vocabulary does: by induction, the next merge of the full vocabulary is always there, and none comes before it.
 * A Unigram piece needs no other piece: as part of a best segmentation it is the best segmentation of its own text.
 */
export const createDerivations = (model: TokenizerModel): ((id: number) => Derivation | undefined) => {
	const derive = model.kind === 'bpe' ? bpeDerivations(model) : unigramDerivations(model);
	return id => {
		const token = model.tokens[id];
		return token === undefined || model.ids.get(token) !== id ? undefined : derive(token, id);
	};
};

/** All tokens that some merges could make `id` from, in any order: for tokens that a text contains though no simulation reaches them. */
export const createAncestors = ({merges}: TokenizerModel): ((id: number) => readonly number[]) => {
	const parts = new Map<number, number[]>();
	for (const {left, right, product} of merges) {
		parts.set(product, [...parts.get(product) ?? [], left, right]);
	}

	return id => {
		const found = new Set([id]);
		for (const token of found) {
			for (const part of parts.get(token) ?? []) {
				found.add(part);
			}
		}

		return [...found];
	};
};

const bpeDerivations = (model: TokenizerModel) => {
	const merge = createMerger(model.merges);
	return (token: string, id: number): Derivation => {
		for (const symbols of [characterSymbols(model, token), byteTokenSymbols(model, token)]) {
			const {result, seen} = merge(symbols ?? []);
			if (result.length === 1 && result[0] === id) {
				return {reachable: true, through: seen};
			}
		}

		return {reachable: false, through: [id]};
	};
};

const unigramDerivations = (model: TokenizerModel) => {
	const segment = createSegmenter(model);
	return (token: string, id: number): Derivation => {
		const pieces = segment(token);
		return {reachable: pieces.length === 1 && pieces[0] === id, through: [id]};
	};
};

/** Ids that merging starts from, as the library makes them from a word; undefined if a character is unknown. */
const characterSymbols = (model: TokenizerModel, token: string): number[] | undefined => {
	const {ids, prefix, suffix} = model;
	const continues = prefix !== '' && token.startsWith(prefix) && token !== prefix;
	const ends = suffix !== '' && token.endsWith(suffix) && token !== suffix;
	const characters = [...token.slice(continues ? prefix.length : 0, ends ? -suffix.length : undefined)];
	const symbols: number[] = [];
	for (const [index, character] of characters.entries()) {
		const symbol = (index > 0 || continues ? prefix : '') + character + (ends && index === characters.length - 1 ? suffix : '');
		const known = ids.get(symbol);
		const found = known === undefined ? byteTokens(model, symbol) : [known];
		if (found === undefined) {
			return undefined;
		}

		symbols.push(...found);
	}

	return symbols;
};

const byteTokens = ({ids, byteFallback}: TokenizerModel, text: string): number[] | undefined => {
	const tokens = byteFallback ? [...Buffer.from(text)].map(byte => ids.get(byteFallbackTokens[byte]!)) : [undefined];
	return tokens.includes(undefined) ? undefined : tokens as number[];
};

// Merges of byte-fallback tokens are rare but legal; the text of their product is "<0xE2><0x80>".
const byteTokenSymbols = (model: TokenizerModel, token: string): number[] | undefined => {
	if (!model.byteFallback || !/<0x[\dA-F]{2}>/.test(token)) {
		return undefined;
	}

	const symbols = token.split(/(<0x[\dA-F]{2}>)/).filter(part => part !== '')
		.flatMap(part => part.startsWith('<0x') ? [model.ids.get(part)] : characterSymbols(model, part) ?? [undefined]);
	return symbols.includes(undefined) ? undefined : symbols as number[];
};
