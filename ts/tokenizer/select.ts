import {badArgument} from '../errors.js';
import {alphabet} from './bytes.js';
import {createAncestors, createDerivations, type Derivation} from './closure.js';
import {createEncoder} from './encoder.js';
import type {TokenizerFiles} from './files.js';
import {fillUp} from './fill.js';
import {frequentTokens, type VocabularyRule} from './frequent.js';
import {lowestPiece, namedTokens} from './mandatory.js';
import type {TokenizerModel} from './model.js';
import {chatTemplateTexts} from './template.js';

/** Why a token stays; the first reason that applies counts. */
export const keepReasons = ['used', 'special', 'bytes', 'chatTemplate', 'closure', 'fill', 'padding'] as const;

/** One of `keepReasons`. `padding` are rows of the embedding that no token has. */
export type KeepReason = (typeof keepReasons)[number];

export type SelectVocabularyInput = {
	readonly files: Pick<TokenizerFiles, 'text' | 'model' | 'config' | 'specialTokensMap' | 'chatTemplates'>;
	/** How often the corpus uses each token id. */
	readonly counts: Float64Array;
	readonly selection: VocabularyRule;
	/** The size is rounded up to a multiple of this. Default 64. */
	readonly multipleOf?: number;
	/** Rows of the embedding. */
	readonly modelVocabulary: number;
	/** Ids that config.json and generation_config.json name. */
	readonly alwaysKeep?: readonly number[];
};

export type VocabularySelection = {
	/** Original ids, ascending; the place in this list is the new id. */
	readonly keep: Uint32Array;
	/** How many tokens stay for each reason; their sum is the new size. */
	readonly reasons: Readonly<Record<KeepReason, number>>;
	/** Share of the corpus's tokens that stay whole, 0 to 1. */
	readonly coverage: number;
	/** Different tokens that the corpus uses. */
	readonly usedTokens: number;
	/** Tokens of the tokenizer, before. */
	readonly tokenizerSize: number;
	readonly warnings: readonly string[];
};

/**
 * Chooses the tokens that stay: the corpus's by frequency, what every text and the chat need, the tokens on the way to all of
 * those, and then the next most frequent ones up to a multiple.
 *
 * @throws `ERR_BAD_ARGUMENT` for a selection out of range.
 */
export const selectVocabulary = async ({files, counts, selection, multipleOf = 64, modelVocabulary, alwaysKeep = []}: SelectVocabularyInput): Promise<VocabularySelection> => {
	checkSizes(multipleOf, modelVocabulary);
	const {model} = files;
	const derive = createDerivations(model);
	const kept = new Map<number, KeepReason>();
	const add = (reason: KeepReason, ids: Iterable<number>): void => {
		for (const id of ids) {
			if (!kept.has(id) && Number.isInteger(id) && id >= 0 && id < modelVocabulary) {
				kept.set(id, reason);
			}
		}
	};

	add('used', frequentTokens(counts, selection));
	add('special', [...namedTokens(files), ...alwaysKeep]);
	add('bytes', alphabet(model));
	add('chatTemplate', await chatTemplateTokens(files));
	add('closure', closure(model, derive, counts, kept.keys()));
	if (model.kind === 'unigram') {
		add('closure', [lowestPiece(model, id => kept.has(id), id => derive(id)?.reachable ?? false) ?? -1]);
	}

	for (const {reason, id} of fillUp({model, derive, counts, kept: new Set(kept.keys()), multipleOf, modelVocabulary})) {
		add(reason, [id]);
	}

	return summary(model, counts, kept, modelVocabulary);
};

/** Ids of `kept` and of all tokens on the way to them. */
const closure = (model: TokenizerModel, derive: (id: number) => Derivation | undefined, counts: Float64Array, kept: Iterable<number>): Set<number> => {
	const ancestors = createAncestors(model);
	const added = new Set(model.added.map(({id}) => id));
	const found = new Set<number>();
	for (const id of kept) {
		const derivation = derive(id);
		// The corpus has it, yet no simulation gets there, and it isn't cut out before merging: keep every way to it.
		const unexplained = derivation?.reachable === false && (counts[id] ?? 0) > 0 && !added.has(id) && !model.ignoreMerges;
		for (const token of unexplained ? ancestors(id) : derivation?.through ?? [id]) {
			found.add(token);
		}
	}

	return found;
};

const chatTemplateTokens = async (files: SelectVocabularyInput['files']): Promise<number[]> => {
	const texts = chatTemplateTexts(files);
	const ids = texts.length === 0 ? [] : await createEncoder(files, {addSpecialTokens: false}).encode(texts);
	return ids.flatMap(row => [...row]);
};

const summary = (model: TokenizerModel, counts: Float64Array, kept: ReadonlyMap<number, KeepReason>, modelVocabulary: number): VocabularySelection => {
	const total = counts.reduce((sum, count) => sum + count, 0);
	const keep = Uint32Array.from(kept.keys()).sort();
	const covered = keep.reduce((sum, id) => sum + (counts[id] ?? 0), 0);
	const reasons = Object.fromEntries(keepReasons.map(reason => [reason, 0])) as Record<KeepReason, number>;
	for (const reason of kept.values()) {
		reasons[reason]++;
	}

	const rowless = model.tokens.filter((token, id) => token !== undefined && id >= modelVocabulary);
	return {
		keep,
		reasons,
		coverage: total === 0 ? 1 : covered / total,
		usedTokens: counts.reduce((used, count) => used + (count > 0 ? 1 : 0), 0),
		tokenizerSize: model.tokens.filter(token => token !== undefined).length,
		warnings: rowless.length === 0 ? [] : [
			`${rowless.length} tokens of the tokenizer have no row in the model's embedding (${modelVocabulary} rows) and are left out, `
			+ `${JSON.stringify(rowless[0])} first`,
		],
	};
};

const checkSizes = (multipleOf: number, modelVocabulary: number): void => {
	if (!Number.isInteger(multipleOf) || multipleOf < 1) {
		throw badArgument('multipleOf', 'a whole number of at least 1', multipleOf);
	}

	if (!Number.isInteger(modelVocabulary) || modelVocabulary < 1) {
		throw badArgument('modelVocabulary', 'a whole number of at least 1', modelVocabulary);
	}
};
