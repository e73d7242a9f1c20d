import type {TokenizerFiles} from './files.js';
import {isRecord, visit} from './json.js';
import {idOfToken, type TokenizerModel} from './model.js';

/**
 * Ids that stay because the tokenizer's files name them: added tokens, unknown, what the post-processor and padding insert, what
 * the normalizer, pre-tokenizer and decoder put in, and the tokens of tokenizer_config.json and special_tokens_map.json.
 */
export const namedTokens = ({model, config, specialTokensMap}: Pick<TokenizerFiles, 'model' | 'config' | 'specialTokensMap'>): number[] => {
	const {normalizer, pre_tokenizer, decoder, post_processor, padding} = model.json;
	const texts = [
		...textsUnder([normalizer, pre_tokenizer, decoder, post_processor, padding], componentKeys),
		...textsUnder([config, specialTokensMap], configKeys),
	];
	const ids = [...idsUnder([post_processor], 'ids'), ...idsUnder([padding], 'pad_id'), ...pairIds(post_processor), ...decoderKeys(config)];
	const named = [...texts.map(text => idOfToken(model, text)), ...ids, model.unknown];
	return [...model.added.map(({id}) => id), ...named.filter(id => id !== undefined && model.tokens[id] !== undefined) as number[]];
};

// Keys whose texts are texts of tokens; other keys hold names of kinds, which may happen to be words of the vocabulary.
const componentKeys = /^(content|prepend|replacement|String|suffix|prefix|word_delimiter_token|pad_token|unk_token|tokens)$/;
const configKeys = /^(.*_tokens?|content)$/;

const textsUnder = (values: readonly unknown[], keys: RegExp): string[] => {
	const found: string[] = [];
	visit(values, (key, item) => {
		if (typeof item === 'string' && keys.test(key)) {
			found.push(item);
		}
	});
	return found;
};

const idsUnder = (values: readonly unknown[], wanted: string): number[] => {
	const found: number[] = [];
	visit(values, (key, item) => {
		if (key === wanted && typeof item === 'number') {
			found.push(item);
		}
	});
	return found;
};

// BertProcessing and RobertaProcessing: "sep": ["</s>", 2].
const pairIds = (postProcessor: unknown): number[] => [...idsUnder([postProcessor], 'sep'), ...idsUnder([postProcessor], 'cls')];

const decoderKeys = (config: TokenizerFiles['config']): number[] =>
	isRecord(config?.added_tokens_decoder) ? Object.keys(config.added_tokens_decoder).map(Number) : [];

/** Scores decide what an unknown character costs: the lowest of all, less a constant. So a piece with that score stays. */
export const lowestPiece = (model: TokenizerModel, kept: (id: number) => boolean, reachable: (id: number) => boolean): number | undefined => {
	const lowest = model.scores.reduce((low, score) => Math.min(low, score), Number.POSITIVE_INFINITY);
	const pieces = model.scores.flatMap((score, id) => score === lowest ? [id] : []);
	return pieces.some(kept) ? undefined : pieces.find(reachable) ?? pieces[0];
};
