import * as z from 'zod';
import {computeChoices, defaults, ffnStrategies, layerMetrics, layerSearches, positionChoices, textFormats, vocabularySelections} from './choices.js';
import type {TextFormat} from './choices.js';
import {finite, flag, named, object, oneOf, path, text, texts, whole} from './fields.js';
import {brokenRules} from './rules.js';
import type {Plan} from './types.js';
import {isGivenTexts, isRepeatable, isTextStream} from './texts.js';
import type {GivenTexts, RepeatableTexts, TextItem, TextStream} from './texts.js';

const onePath = path('a path');
const manyPaths = z.array(onePath, 'a list of at least one path').min(1, 'a list of at least one path');
const fileShape = {
	fields: texts(1, 'the name of a field', 'a list of at least one field name').optional()
		.describe("Fields of a record that hold its text, joined in this order. Without it: the first present of text, content, code, prompt."),
	extensions: texts(1, 'a file extension', 'a list of at least one file extension').optional()
		.describe('Files of a folder that are read, by the end of their name. Without it: those of source code, or of records where there are none.'),
	format: oneOf(textFormats).optional().describe('How the files are read; `auto`, which is also the default, goes by their names.'),
};
const limitShape = ({maxTexts, maxTokens}: {readonly maxTexts: number; readonly maxTokens: number}) => ({
	maxTexts: whole(1).default(maxTexts).describe('Texts that are taken.'),
	maxTokens: whole(1).default(maxTokens).describe('Tokens at which a text is cut off.'),
});
const calibrationLimits = limitShape(defaults.calibration);
const evaluationLimits = limitShape(defaults.evaluation);

// Texts of files, or given by the caller: exactly one of them.
const oneOrigin = (source: {readonly paths?: unknown; readonly texts?: unknown}, context: z.RefinementCtx): void => {
	if (source.paths === undefined && source.texts === undefined) {
		context.addIssue({code: 'custom', path: ['paths'], message: 'a list of at least one path'});
	} else if (source.texts !== undefined) {
		for (const name of ['paths', ...Object.keys(fileShape)].filter(name => source[name as 'paths'] !== undefined)) {
			context.addIssue({code: 'custom', path: [name], message: 'no such name beside texts, which come from no file'});
		}
	}
};

// Runs even when fields are wrong: all complaints come at once.
const always = {when: () => true};

// What is resolved always has paths; texts of the caller stand beside none.
type Resolved<Limits> = Limits & {
	paths: string[];
	texts?: GivenTexts;
	fields?: string[];
	extensions?: string[];
	format?: TextFormat;
};

const paths = manyPaths.optional().describe('Files and folders of UTF-8 text. A file that is none is refused; in a folder it is passed over, with a warning where it may be a text.');
const repeatable = 'a list of texts, or a function that makes them: they are read more than once';
// What JSON can say of texts that are given: `tsType` says it to TypeScript.
const textList = {type: 'array', items: {anyOf: [{type: 'string'}, {type: 'object', properties: {text: {type: 'string'}}, required: ['text']}]}};
const repeatableTexts = z.custom<RepeatableTexts>(isRepeatable, repeatable).meta({...textList, tsType: 'RepeatableTexts'});
const iterableTexts = z.custom<GivenTexts>(isGivenTexts, 'texts: a list, an iterable or a function that makes one').meta({...textList, tsType: 'GivenTexts'});
type TextMaker = () => TextStream | Promise<TextStream>;

/** Texts without limits, which are read more than once. */
export const textSource = z
	.union([
		onePath.transform(path => ({paths: [path]})),
		manyPaths.transform(paths => ({paths})),
		z.custom<TextMaker>(value => typeof value === 'function', repeatable).meta({tsType: '(() => TextStream | Promise<TextStream>)'}).transform(texts => ({paths: [], texts})),
		object({paths, texts: repeatableTexts.optional().describe('Texts of your own instead of files; given the same each time.'), ...fileShape}).superRefine(oneOrigin, always).transform(source => ({...source, paths: source.paths ?? []})),
	], 'a path, a list of paths, an object with paths or texts, or a function that gives texts (an iterable by itself can be read once only)')
	.transform((source): Resolved<unknown> => source)
	.meta(named('TextSource', 'Texts that are read more than once: files and folders, or texts of your own that are the same each time.'));

const sampleSource = (limits: typeof calibrationLimits) => {
	const defaultLimits = z.object(limits).parse({});
	return z
		.union([
			onePath.transform(path => ({paths: [path], ...defaultLimits})),
			manyPaths.transform(paths => ({paths, ...defaultLimits})),
			z.custom<AsyncIterable<TextItem> | TextMaker>(isTextStream, 'texts').meta({tsType: 'AsyncIterable<TextItem> | (() => TextStream | Promise<TextStream>)'}).transform(texts => ({paths: [], texts, ...defaultLimits})),
			object({paths, texts: iterableTexts.optional().describe('Texts of your own instead of files: the first `maxTexts` are asked for, once.'), ...fileShape, ...limits})
				.superRefine(oneOrigin, always).transform(source => ({...source, paths: source.paths ?? []})),
		], 'a path, a list of paths, an object with paths or texts, or an iterable of texts')
		.transform((source): Resolved<{maxTexts: number; maxTokens: number}> => source)
		.meta(named('SampleSource', 'A sample of texts with limits, how many and how many tokens of each: from files and folders, or your own.'));
};

/** How a plan names texts: files without their folders, or that they were given. */
const notedTexts = <Limits extends z.core.$ZodLooseShape>(limits: Limits) => z.union([
	object({paths: manyPaths.describe('Files and folders, without the folders that they lie in.'), ...fileShape, ...limits}),
	object({texts: z.literal('given', '"given"').describe('The caller gave the texts.'), ...limits}),
], 'an object with paths');

/** How the vocabulary is pruned. */
export const vocabulary = object({
	select: oneOf(vocabularySelections).default(defaults.vocabulary.select).describe([
		'Tokens that stay: `used`: all that the texts use; `min-count`: those used at least `minCount` times; `top`: the `top` most used;',
		'`coverage`: the most used that make up `coverage` of the texts\' tokens. Bytes, special tokens and what merges pass through stay always.',
	].join('\n')),
	minCount: whole(1).optional().describe("For 'min-count': occurrences that a token needs to stay."),
	top: whole(1).optional().describe("For 'top': number of most frequent tokens that stay."),
	coverage: finite('a share above 0 and at most 1').gt(0, 'a share above 0 and at most 1').max(1, 'a share above 0 and at most 1').optional().describe("For 'coverage': share of the corpus's tokens that the kept ones make up, above 0, at most 1."),
	multipleOf: whole(1).default(defaults.vocabulary.multipleOf).describe('The size is rounded up to a multiple of this by keeping the next most frequent tokens.'),
});

const dropForms = 'a number of layers of at least 1, or a list of layer indices';
/** Which layers are dropped. */
export const layers = object({
	drop: z.union([whole(1, dropForms), z.array(whole(0, 'a layer index from 0'), dropForms).min(1, dropForms)], dropForms).describe('How many layers to drop, or which (from 0).'),
	metric: oneOf(layerMetrics).default(defaults.layers.metric).describe([
		'What a layer is judged by: `kl`: the divergence of the logits without it (Flab-Pruner, arXiv 2412.15921); `bi`, `bi-last`: block',
		'influence over all or the last tokens (ShortGPT, arXiv 2403.03853); `angular`: the angle between its input and output (arXiv 2403.17887);',
		'`perplexity`: the next-token loss without it.',
	].join('\n')),
	positions: oneOf(positionChoices).default(defaults.layers.positions).describe('Tokens of each text that the divergence is taken at: the `last`, which costs least, or `all`.'),
	search: oneOf(layerSearches).default(defaults.layers.search)
		.describe('`greedy`: score again after every dropped layer; `one-shot`: score once; `racing`: greedy by `kl`, with candidates that can\'t win given up early.'),
});

const widthForms = 'a whole number of neurons of at least 1, or a share above 0 and below 1';
/** Which neurons of the FFNs are kept. */
export const ffn = object({
	width: finite(widthForms).gt(0, widthForms).refine(width => width < 1 || Number.isSafeInteger(width), widthForms).describe('From 1: neurons to keep in every layer. Below 1: the share to keep, rounded to the nearest multiple.'),
	strategy: oneOf(ffnStrategies).default(defaults.ffn.strategy).describe([
		'Neurons that stay: by place (`top`, `bottom`, `middle`, `random`), by weights (`magnitude`), by activations on the calibration texts',
		'(`activation`; `wanda`, arXiv 2306.11695; `fluctuation`: FLAP, arXiv 2312.11983), or `auto`: whichever of these has the smallest divergence.',
	].join('\n')),
	multipleOf: whole(1).default(defaults.ffn.multipleOf).describe('The width must be a multiple of this.'),
	seed: whole(0).default(defaults.ffn.seed).describe("For 'random'."),
	positions: oneOf(positionChoices).default(defaults.ffn.positions).describe('Tokens of each text that the divergence is taken at.'),
});

/** The members of the plan's options that say what is done, and so belong into the plan. */
export const choiceShape = {
	model: path('the folder of a checkpoint').describe('Folder of the checkpoint.'),
	corpus: textSource.optional().describe('Texts that the vocabulary is counted on. Calibration texts are always counted too.'),
	calibration: sampleSource(calibrationLimits).optional().describe('Texts that candidates are compared with the reference on.'),
	evaluation: sampleSource(evaluationLimits).optional().describe('Held-out texts: the loss on them is measured before and after, in nats per byte.'),
	vocabulary: z.union([z.literal(false), vocabulary], 'false or an object with select').optional().describe("How the vocabulary is pruned. Without it: `{select: 'used'}` when there is a corpus, else not at all."),
	layers: z.union([z.literal(false), layers], 'false or an object with drop').default(false).describe('Which layers are dropped.'),
	ffn: z.union([z.literal(false), ffn], 'false or an object with width').default(false).describe('Which neurons of the FFNs are kept.'),
	compute: oneOf(computeChoices).default(defaults.compute).describe('How products are computed; `auto` is bf16 for bf16 weights and f32 for others.'),
};

/** The same as a plan notes them. */
export const notedShape = {
	...choiceShape,
	corpus: notedTexts({}).optional().describe(choiceShape.corpus.description!),
	calibration: notedTexts(calibrationLimits).optional().describe(choiceShape.calibration.description!),
	evaluation: notedTexts(evaluationLimits).optional().describe(choiceShape.evaluation.description!),
};

const recipeShape = {
	$schema: text('the address of a JSON schema').optional().describe('In a file with options: the address of its JSON schema, for editors. It has no effect.'),
};

const deviceForms = 'auto, cpu, cuda or cuda:N, N being the number of a device';

const planShape = {
	...recipeShape,
	...choiceShape,
	device: z.string(deviceForms).regex(/^(?:auto|cpu|cuda(?::\d{1,3})?)$/, deviceForms).default(defaults.device)
		.describe('What the model runs on: `auto`: the first GPU that can be used and has room, else the CPU; `cpu`; `cuda` or `cuda:N`: the GPU of that number (0), or an error that says why not. Verification always runs on the CPU, exactly.'),
	maxDeviceMemory: whole(1).optional().describe('Bytes of the GPU\'s memory that this run may take. Without it: all that is free.'),
	threads: whole(1).optional().describe('Threads that this run may take of the pool, which all runs of a process share. Without it: as many as the machine grants (affinity, cgroup, FLAB_THREADS).'),
	maxMemory: whole(1).optional().describe('Bytes of resident memory that this run keeps the process below; too few are refused before anything long is done. Without it nothing is checked beforehand, and each computation takes at most half of the memory that is available when it begins.'),
};

const outputShape = {
	out: path('a folder to write').describe('Folder to write; it must not exist.'),
	force: flag().default(defaults.force).describe('Replace `out` if it is an empty folder or a checkpoint.'),
	maxShardBytes: whole(1).default(defaults.maxShardBytes).describe('Largest size of a weight file in bytes; a single larger tensor gets a file of its own.'),
	verify: flag().default(defaults.verify).describe('Reopen the output before it is published and compare its logits with the masked original.'),
};

const checkRules = (options: unknown, context: z.RefinementCtx): void => {
	for (const {path, expected, got} of brokenRules(options)) {
		context.addIssue({code: 'custom', path: [...path], message: expected, params: {got}});
	}
};

const withVocabulary = <Options extends {readonly corpus?: unknown; readonly vocabulary?: z.output<typeof choiceShape.vocabulary>}>(options: Options) =>
	({...options, vocabulary: options.vocabulary ?? (options.corpus === undefined ? false as const : {...defaults.vocabulary} as z.output<typeof vocabulary>)});

/** Schema of `PlanOptions`. */
export const planOptionsSchema = object(planShape, 'an object with model').superRefine(checkRules, always).transform(withVocabulary)
	.meta(named('PlanOptions', 'What `plan` takes.'));

/** Schema of `PruneOptions`. */
export const pruneOptionsSchema = object({...planShape, ...outputShape}, 'an object with model and out').superRefine(checkRules, always).transform(withVocabulary)
	.meta(named('PruneOptions', 'What `prune` takes.'));

/** Schema of `ApplyOptions`. */
export const applyOptionsSchema = object({
	...recipeShape,
	model: choiceShape.model,
	plan: z.union([path('a plan or the path of a plan file'), z.custom<Plan>(value => typeof value === 'object' && value !== null, 'a plan or the path of a plan file').meta({type: 'object', tsType: 'Plan'})], 'a plan or the path of a plan file').describe('The plan, or the path of its JSON file.'),
	calibration: choiceShape.calibration.describe('Texts that the output is verified on. Without it: a fixed sample of token ids.'),
	threads: planShape.threads,
	maxMemory: planShape.maxMemory,
	...outputShape,
}, 'an object with model, plan and out').meta(named('ApplyOptions', 'What `apply` takes.'));

/** Schema of `InspectOptions`. */
export const inspectOptionsSchema = object({...recipeShape, model: choiceShape.model}, 'an object with model').meta(named('InspectOptions', 'What `inspect` takes.'));
