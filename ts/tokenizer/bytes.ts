import type {TokenizerModel} from './model.js';

/**
 * The 256 symbols that stand for bytes in a byte-level vocabulary, by byte.
 *
 * Source: GPT-2's table. Bytes that are printable in Latin-1 stand for themselves, the others follow from U+0100 on.
 */
export const byteLevelSymbols: readonly string[] = (() => {
	let next = 0x1_00;
	return Array.from({length: 256}, (_, byte) => {
		const printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
		return String.fromCodePoint(printable ? byte : next++);
	});
})();

/** The 256 tokens of byte fallback, by byte: `<0x00>` to `<0xFF>`. */
export const byteFallbackTokens: readonly string[] =
	Array.from({length: 256}, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);

/** The kind of alphabet that makes every text encodable; `characters` when nothing but the vocabulary's characters does. */
export const alphabetKind = (model: TokenizerModel): 'byte-level' | 'byte-fallback' | 'characters' => {
	if (model.byteLevel) {
		return 'byte-level';
	}

	return model.byteFallback && byteFallbackTokens.every(token => model.ids.has(token)) ? 'byte-fallback' : 'characters';
};

/**
 * Ids that must stay so that any text that could be encoded still can: the 256 byte symbols, the 256 byte tokens, or, in a
 * vocabulary with neither, every single character.
 */
export const alphabet = (model: TokenizerModel): number[] => {
	const {ids, prefix, suffix, byteFallback} = model;
	const kind = alphabetKind(model);
	const tokens = [
		...kind === 'characters' ? [...ids.keys()].filter(token => isCharacter(model, token)) : [],
		...kind === 'byte-level' ? byteLevelSymbols.flatMap(symbol => [symbol, prefix + symbol, symbol + suffix, prefix + symbol + suffix]) : [],
		...byteFallback ? byteFallbackTokens : [],
	];
	return tokens.map(token => ids.get(token)).filter(id => id !== undefined);
};

const isCharacter = ({prefix, suffix}: TokenizerModel, token: string): boolean => {
	const body = token.startsWith(prefix) && token !== prefix ? token.slice(prefix.length) : token;
	const inner = body.endsWith(suffix) && body !== suffix ? body.slice(0, body.length - suffix.length) : body;
	return inner.length <= 2 && [...inner].length === 1;
};
