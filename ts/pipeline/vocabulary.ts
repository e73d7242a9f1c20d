import {createHash} from 'node:crypto';
import {hashed, sameTexts} from '../calibration/hashed.js';
import {readFiles, sourceFiles, sumOf} from '../calibration/texts.js';
import type {Reading, SourceFile, Text} from '../calibration/texts.js';
import type {ResolvedTextSource, VocabularyOptions} from '../plan/options.js';
import {encodeRanges} from '../plan/ranges.js';
import type {Plan, VocabularyPlan} from '../plan/schema.js';
import {countTokens} from '../tokenizer/count.js';
import {createEncoder} from '../tokenizer/encoder.js';
import type {Encoder} from '../tokenizer/encoder.js';
import type {TokenizerFiles} from '../tokenizer/files.js';
import type {VocabularyRule} from '../tokenizer/frequent.js';
import {createPieceReader} from '../tokenizer/pieces.js';
import type {PieceReader} from '../tokenizer/pieces.js';
import {proveTokenizer} from '../tokenizer/prove.js';
import {tokenIdsIn} from '../tokenizer/remap.js';
import {rewriteTokenizer} from '../tokenizer/rewrite.js';
import {selectVocabulary} from '../tokenizer/select.js';
import {checkMemoryToCount} from './memory.js';
import {threadsFor} from './source.js';
import type {Source} from './source.js';

/** What is asked for. */
export type VocabularyChoice = {readonly vocabulary: VocabularyOptions; readonly threads?: number; readonly maxMemory?: number};

/** A vocabulary that was chosen and proved. */
export type ChosenVocabulary = {
	readonly plan: VocabularyPlan;
	readonly corpus: NonNullable<Plan['data']['corpus']>;
	/** Original ids, ascending. */
	readonly keep: Uint32Array;
	/** The pruned tokenizer. */
	readonly encoder: Encoder;
	readonly warnings: readonly string[];
};

/**
 * Chooses the tokens that stay from the corpus and proves that the pruned tokenizer encodes the corpus as the original does.
 * `sources` are read twice.
 *
 * @throws ERR_PROOF if it does not
 */
export const chooseVocabulary = async (source: Source, files: TokenizerFiles, {vocabulary: options, threads, maxMemory}: VocabularyChoice, sources: readonly ResolvedTextSource[], control: Reading): Promise<ChosenVocabulary> => {
	const corpus = await Promise.all(sources.map(async texts => ({texts, files: await sourceFiles(texts)})));
	// Nobody knows how much a caller's texts are before they were read.
	const isKnown = sources.every(({texts}) => texts === undefined);
	const totalBytes = isKnown ? sumOf(corpus.flatMap(part => part.files)) : 0;
	const isSmall = isKnown && totalBytes < smallCorpus;
	if (!isSmall) {
		checkMemoryToCount(maxMemory, {tokenizerBytes: files.text.length, ...isKnown && {corpusBytes: totalBytes}, threads: threadsFor(source, threads)});
	}

	const before = createEncoder(files);
	const pieces = isSmall ? undefined : await createPieceReader({encoder: before, threads: threadsFor(source, threads), signal: control.signal});
	try {
		return await choose({source, files, options, corpus, totalBytes, before, pieces}, control);
	} finally {
		await pieces?.close();
	}
};

/** Bytes up to which starting threads takes longer than they save. */
const smallCorpus = 1_000_000;

type Choice = {
	readonly source: Source;
	readonly files: TokenizerFiles;
	readonly options: VocabularyOptions;
	readonly corpus: ReadonlyArray<{readonly texts: ResolvedTextSource; readonly files: readonly SourceFile[]}>;
	readonly totalBytes: number;
	readonly before: Encoder;
	readonly pieces: PieceReader | undefined;
};

const choose = async ({source, files, options, corpus, totalBytes, before, pieces}: Choice, control: Reading): Promise<ChosenVocabulary> => {
	const {spec} = source.layout;
	const hash = createHash('sha256');
	const counted = await countTokens({encoder: before, texts: hashed(allTexts(corpus, control), hash), size: spec.vocabulary, totalBytes, pieces}, control);
	const sha256 = hash.digest('hex');
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
	const again = allTexts(corpus, control);
	const isGiven = corpus.some(({texts: {texts}}) => texts !== undefined);
	const proof = await proveTokenizer({before, after, keep, texts: isGiven ? sameTexts(again, sha256) : again, exact: options.select === 'used', totalBytes, pieces}, control);
	return {
		keep,
		encoder: after,
		corpus: {
			files: corpus.reduce((sum, part) => sum + part.files.length, 0),
			texts: counted.texts,
			bytes: counted.bytes,
			tokens: counted.tokens,
			sha256,
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
async function * allTexts(corpus: Choice['corpus'], control: Reading): AsyncGenerator<Text> {
	let before = 0;
	for (const {texts, files} of corpus) {
		for await (const text of readFiles(files, texts, control)) {
			yield {...text, bytesRead: before + (text.bytesRead ?? 0)};
		}

		before += sumOf(files);
	}
}
