import {z} from 'zod';
import {computeChoices, defaults, ffnStrategies, layerMetrics, layerSearches, positionChoices, textFormats, vocabularySelections} from './choices.js';
import {finite, flag, oneOf, text, texts, whole} from './fields.js';
import {brokenRules} from './rules.js';
import type {Plan} from './schema.js';

const onePath = text('a path');
const manyPaths = texts(1, 'a path', 'a list of at least one path');
const sourceShape = {
	/** Files and folders. */
	paths: manyPaths,
	/** Fields of a record that hold its text, joined in this order. */
	fields: texts(1, 'the name of a field', 'a list of at least one field name').optional(),
	/** Files of a folder that are read, by the end of their name. */
	extensions: texts(1, 'a file extension', 'a list of at least one file extension').optional(),
	/** How the files are read; `auto` goes by their names. */
	format: oneOf(textFormats).optional(),
};
const sourceForms = 'a path, a list of paths, or an object with paths';

/** Texts without limits. */
export const textSource = z
	.union([onePath.transform(path => ({paths: [path]})), manyPaths.transform(paths => ({paths})), z.strictObject(sourceShape)], sourceForms)
	.transform((source): z.output<z.ZodObject<typeof sourceShape>> => source);

const sampleSource = ({maxTexts, maxTokens}: {readonly maxTexts: number; readonly maxTokens: number}) => {
	const limits = {
		/** Texts that are taken. */
		maxTexts: whole(1).default(maxTexts),
		/** Tokens at which a text is cut off. */
		maxTokens: whole(1).default(maxTokens),
	};
	const sample = z.strictObject({...sourceShape, ...limits});
	return z
		.union([onePath.transform(path => ({paths: [path], maxTexts, maxTokens})), manyPaths.transform(paths => ({paths, maxTexts, maxTokens})), sample], sourceForms)
		.transform((source): z.output<typeof sample> => source);
};

/** How the vocabulary is pruned. */
export const vocabulary = z.strictObject({
	select: oneOf(vocabularySelections).default(defaults.vocabulary.select),
	/** For 'min-count': occurrences that a token needs to stay. */
	minCount: whole(1).optional(),
	/** For 'top': number of most frequent tokens that stay. */
	top: whole(1).optional(),
	/** For 'coverage': share of the corpus's tokens that the kept ones make up, above 0, at most 1. */
	coverage: finite('a share above 0 and at most 1').gt(0, 'a share above 0 and at most 1').max(1, 'a share above 0 and at most 1').optional(),
	/** The size is rounded up to a multiple of this by keeping the next most frequent tokens. */
	multipleOf: whole(1).default(defaults.vocabulary.multipleOf),
});

const dropForms = 'a number of layers of at least 1, or a list of layer indices';
/** Which layers are dropped. */
export const layers = z.strictObject({
	/** How many layers to drop, or which (from 0). */
	drop: z.union([whole(1, dropForms), z.array(whole(0, 'a layer index from 0'), dropForms).min(1, dropForms)], dropForms),
	metric: oneOf(layerMetrics).default(defaults.layers.metric),
	/** Positions that the divergence is taken at. */
	positions: oneOf(positionChoices).default(defaults.layers.positions),
	search: oneOf(layerSearches).default(defaults.layers.search),
});

const widthForms = 'a whole number of neurons of at least 1, or a share above 0 and below 1';
/** Which neurons of the FFNs are kept. */
export const ffn = z.strictObject({
	/** From 1: neurons to keep in every layer. Below 1: the share to keep, rounded to the nearest multiple. */
	width: finite(widthForms).gt(0, widthForms).refine(width => width < 1 || Number.isSafeInteger(width), widthForms),
	strategy: oneOf(ffnStrategies).default(defaults.ffn.strategy),
	/** The width must be a multiple of this, or the full width. */
	multipleOf: whole(1).default(defaults.ffn.multipleOf),
	/** For 'random'. */
	seed: whole(0).default(defaults.ffn.seed),
	/** Positions that the divergence of 'auto' is taken at. */
	positions: oneOf(positionChoices).default(defaults.ffn.positions),
});

/** The members of the plan's options that say what is done, and so belong into the plan. */
export const choiceShape = {
	/** Folder of the checkpoint. */
	model: text('the folder of a checkpoint'),
	/** Texts that the vocabulary is counted on. Calibration texts are always counted too. */
	corpus: textSource.optional(),
	/** Texts that candidates are compared with the reference on. */
	calibration: sampleSource(defaults.calibration).optional(),
	/** Held-out texts: the loss on them is measured before and after, in nats per byte. */
	evaluation: sampleSource(defaults.evaluation).optional(),
	/** How the vocabulary is pruned. Without it: `{select: 'used'}` when there is a corpus, else not at all. */
	vocabulary: z.union([z.literal(false), vocabulary], 'false or an object with select').optional(),
	/** Which layers are dropped. */
	layers: z.union([z.literal(false), layers], 'false or an object with drop').default(false),
	/** Which neurons of the FFNs are kept. */
	ffn: z.union([z.literal(false), ffn], 'false or an object with width').default(false),
	/** How products are computed; `auto` is bf16 for bf16 weights and f32 for others. */
	compute: oneOf(computeChoices).default(defaults.compute),
};

const planShape = {
	...choiceShape,
	/** Threads of the decoder. Without it: as many as the machine grants. */
	threads: whole(1).optional(),
	/** Bytes of memory that the process may take for itself, mapped weights aside. Without it: no limit. */
	maxMemory: whole(1).optional(),
};

const outputShape = {
	/** Folder to write; it must not exist. */
	out: text('a folder to write'),
	/** Replace `out` if it exists. */
	force: flag().default(defaults.force),
	/** Largest size of a weight file in bytes; a single larger tensor gets a file of its own. */
	maxShardBytes: whole(1).default(defaults.maxShardBytes),
	/** Reopen the output before it is published and compare its logits with the masked original. */
	verify: flag().default(defaults.verify),
};

// Runs even when fields are wrong: all complaints come at once.
const always = {when: () => true};
const checkRules = (options: unknown, context: z.RefinementCtx): void => {
	for (const {path, expected, got} of brokenRules(options)) {
		context.addIssue({code: 'custom', path: [...path], message: expected, params: {got}});
	}
};

const withVocabulary = <Options extends {readonly corpus?: unknown; readonly vocabulary?: z.output<typeof choiceShape.vocabulary>}>(options: Options) =>
	({...options, vocabulary: options.vocabulary ?? (options.corpus === undefined ? false as const : {...defaults.vocabulary} as z.output<typeof vocabulary>)});

/** Schema of `PlanOptions`. */
export const planOptionsSchema = z.strictObject(planShape, 'an object with model').superRefine(checkRules, always).transform(withVocabulary);

/** Schema of `PruneOptions`. */
export const pruneOptionsSchema = z.strictObject({...planShape, ...outputShape}, 'an object with model and out').superRefine(checkRules, always).transform(withVocabulary);

/** Schema of `ApplyOptions`. */
export const applyOptionsSchema = z.strictObject({
	model: choiceShape.model,
	/** The plan, or the path of its JSON file. */
	plan: z.union([text('a plan or the path of a plan file'), z.custom<Plan>(value => typeof value === 'object' && value !== null, 'a plan or the path of a plan file')], 'a plan or the path of a plan file'),
	/** Texts that the output is verified on. Without it: a fixed sample of token ids. */
	calibration: choiceShape.calibration,
	threads: planShape.threads,
	maxMemory: planShape.maxMemory,
	...outputShape,
}, 'an object with model, plan and out');

/** Schema of `InspectOptions`. */
export const inspectOptionsSchema = z.strictObject({model: choiceShape.model}, 'an object with model');
