import {createHash} from 'node:crypto';
import {readTexts, sourceBytes, sourceFiles} from '../calibration/texts.js';
import type {Text} from '../calibration/texts.js';
import type {ResolvedTextSource, VocabularyOptions} from '../plan/options.js';
import {encodeRanges} from '../plan/ranges.js';
import type {Plan, VocabularyPlan} from '../plan/schema.js';
import type {Control} from '../progress.js';
import {countTokens} from '../tokenizer/count.js';
import {createEncoder} from '../tokenizer/encoder.js';
import type {TokenizerFiles} from '../tokenizer/files.js';
import type {VocabularyRule} from '../tokenizer/frequent.js';
import {proveTokenizer} from '../tokenizer/prove.js';
import {tokenIdsIn} from '../tokenizer/remap.js';
import {rewriteTokenizer} from '../tokenizer/rewrite.js';
import type {RewrittenTokenizer} from '../tokenizer/rewrite.js';
import {selectVocabulary} from '../tokenizer/select.js';
import type {Source} from './source.js';

/** A vocabulary that was chosen and proved. */
export type ChosenVocabulary = {
	readonly plan: VocabularyPlan;
	readonly corpus: NonNullable<Plan['data']['corpus']>;
	/** Original ids, ascending. */
	readonly keep: Uint32Array;
	readonly tokenizer: RewrittenTokenizer;
	readonly warnings: readonly string[];
};

/**
 * Chooses the tokens that stay from the corpus (method.md section 1) and proves that the pruned tokenizer encodes the
 * corpus as the original does. `sources` are read twice.
 *
 * @throws ERR_PROOF if it does not
 */
export const chooseVocabulary = async (source: Source, files: TokenizerFiles, options: VocabularyOptions, sources: readonly ResolvedTextSource[], control: Control): Promise<ChosenVocabulary> => {
	const {spec} = source.layout;
	const bytes = await Promise.all(sources.map(async texts => sourceBytes(texts)));
	// Nobody knows how much a caller's texts are before they were read.
	const total = sources.some(({texts}) => texts !== undefined) ? 0 : bytes.reduce((sum, size) => sum + size, 0);
	const before = createEncoder(files);
	const hash = createHash('sha256');
	const counted = await countTokens({encoder: before, texts: hashed(allTexts(sources, bytes, control), hash), size: spec.vocabulary, totalBytes: total}, control);
	const {checkpoint} = source;
	const selection = await selectVocabulary({
		files,
		counts: counted.counts,
		selection: ruleOf(options),
		multipleOf: options.multipleOf,
		modelVocabulary: spec.vocabulary,
		alwaysKeep: [...tokenIdsIn(checkpoint.config), ...tokenIdsIn(checkpoint.generationConfig ?? {})],
	});
	const {keep} = selection;
	const tokenizer = rewriteTokenizer(files, keep);
	const after = createEncoder(tokenizer.files.get('tokenizer.json')!);
	const proof = await proveTokenizer({before, after, keep, texts: allTexts(sources, bytes, control), exact: options.select === 'used', totalBytes: total}, control);
	const fileCounts = await Promise.all(sources.map(async texts => (await sourceFiles(texts)).length));
	return {
		keep,
		tokenizer,
		corpus: {
			files: fileCounts.reduce((sum, count) => sum + count, 0),
			texts: counted.texts,
			bytes: counted.bytes,
			tokens: counted.tokens,
			sha256: hash.digest('hex'),
		},
		plan: {
			before: spec.vocabulary,
			after: keep.length,
			keep: encodeRanges(keep).map(([begin, end]) => [begin, end]),
			selection: options,
			reasons: {...selection.reasons},
			counts: {coverage: selection.coverage, usedTokens: selection.usedTokens, tokenizerSize: selection.tokenizerSize},
			frequencies: [...counted.counts].flatMap((count, id): [number, number][] => count > 0 ? [[id, count]] : []),
			proof: {
				texts: proof.texts,
				tokensBefore: proof.tokensBefore,
				tokensAfter: proof.tokensAfter,
				fertility: proof.tokensBefore === 0 ? 1 : proof.tokensAfter / proof.tokensBefore,
				differing: proof.differing,
				reachable: proof.reachable,
			},
		},
		warnings: [...selection.warnings, ...tokenizer.dropped.map(({file, reason}) => `${file} is not carried over: it ${reason}`)],
	};
};

// The options' schema sees to it that the number that the selection needs is there.
const ruleOf = ({select, minCount, top, coverage}: VocabularyOptions): VocabularyRule => ({
	used: {kind: 'used'},
	'min-count': {kind: 'min-count', minCount: minCount!},
	top: {kind: 'top', count: top!},
	coverage: {kind: 'coverage', share: coverage!},
} as const)[select];

// One source after the other, with the bytes read of all of them.
async function * allTexts(sources: readonly ResolvedTextSource[], bytes: readonly number[], control: Control): AsyncGenerator<Text> {
	let before = 0;
	for (const [place, source] of sources.entries()) {
		for await (const text of readTexts(source, control)) {
			yield {...text, bytesRead: before + (text.bytesRead ?? 0)};
		}

		before += bytes[place]!;
	}
}

async function * hashed(texts: AsyncIterable<Text>, hash: {update(text: string): unknown}): AsyncGenerator<Text> {
	for await (const text of texts) {
		hash.update(text.text);
		hash.update('\0');
		yield text;
	}
}
