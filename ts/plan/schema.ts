import {z} from 'zod';
import {layerMetrics, layerSearches, neuronStrategies, positionChoices, vocabularySelections} from './choices.js';
import {finite, flag, measured, oneOf, text, texts, whole} from './fields.js';
import {choiceShape} from './optionSchemas.js';

/** The version of plans that this release writes, and the versions that it reads. */
export const planSchemaVersion = 1;
export const knownSchemaVersions: readonly number[] = [planSchemaVersion];

const record = <Value extends z.ZodType>(value: Value) => z.record(z.string(), value, 'an object');
const object = <Shape extends z.core.$ZodLooseShape>(shape: Shape) => z.strictObject(shape, 'an object');
const list = <Item extends z.ZodType>(item: Item) => z.array(item, 'an array');

const hash = z.string('a SHA-256 in hexadecimal').regex(/^[\da-f]{64}$/, 'a SHA-256 in hexadecimal');
const ranges = list(z.tuple([whole(0), whole(0)], '[begin, end), two whole numbers'));
const share = finite('a share').min(0, 'a share').max(1, 'a share');

const source = object({
	family: text('a family'),
	/** Sizes of the checkpoint, named as in the native contract. */
	config: object({
		layers: whole(1),
		width: whole(1),
		ffnWidth: whole(1),
		vocabulary: whole(1),
		queryHeads: whole(1).optional(),
		kvHeads: whole(1).optional(),
		headWidth: whole(1).optional(),
		/** Whether embedding and LM head are one tensor. */
		tied: flag().optional(),
		/** Dtypes of the weights, most bytes first. */
		dtypes: texts(1, 'a dtype', 'an array of dtypes').optional(),
	}),
	/** Files that the plan depends on, by name in the checkpoint folder. */
	files: record(object({bytes: whole(0), sha256: hash})),
});

const data = object({
	corpus: object({files: whole(0), texts: whole(0), bytes: whole(0), tokens: whole(0), sha256: hash}).optional(),
	/** `sha256` is of the token ids. */
	calibration: object({texts: whole(0), tokens: whole(0), bytes: whole(0).optional(), sha256: hash}).optional(),
	evaluation: object({texts: whole(0), tokens: whole(0), bytes: whole(0).optional(), sha256: hash}).optional(),
});

const vocabulary = object({
	before: whole(1),
	after: whole(1),
	/** Ids that stay, as half-open ranges of the original ids. */
	keep: ranges,
	selection: object({
		select: oneOf(vocabularySelections),
		minCount: whole(1).optional(),
		top: whole(1).optional(),
		coverage: share.optional(),
		multipleOf: whole(1),
	}),
	/** Number of tokens that stay, by why they do. */
	reasons: record(whole(0)),
	/** What the counting found: tokens, distinct tokens and the like. */
	counts: record(finite()),
	/** [id, occurrences] of every token that the texts use. */
	frequencies: list(z.tuple([whole(0), whole(1)], '[id, occurrences]')).optional(),
	/** What the comparison of both tokenizers on the corpus found. */
	proof: record(z.union([finite(), z.string(), z.boolean()], 'a number, a text, true or false')),
});

const layerScore = object({
	/** Index in the original checkpoint. */
	layer: whole(0),
	/** What the choice was made by: the smallest goes. */
	score: measured(),
	/** KL(reference || model without this layer too), nats per position. */
	divergence: measured().optional(),
	/** Next-token loss without this layer too, nats per token. */
	loss: measured().optional(),
	blockInfluence: measured().optional(),
	blockInfluenceLast: measured().optional(),
	/** Angular distance of the layer's input and output, or of the block that begins here when blocks are dropped. */
	angular: measured().optional(),
	/** Texts that score and divergence were measured on; absent where they are all of them. */
	texts: whole(1).optional(),
});

const layers = object({
	before: whole(1),
	after: whole(1),
	/** Indices in the original checkpoint that stay, ascending. */
	keep: list(whole(0)),
	/** Those that go, in the order in which they were dropped. */
	dropped: list(whole(0)),
	/** null when the layers were listed. */
	metric: oneOf(layerMetrics).nullable(),
	positions: oneOf(positionChoices).nullable(),
	search: oneOf([...layerSearches, 'list']),
	/** Each scoring, with the layers dropped because of it. */
	steps: list(object({
		dropped: list(whole(0)),
		scores: list(layerScore),
		/** Passes of a token through a layer that the scoring took. */
		tokenLayers: whole(0).optional(),
		/** Those that every candidate on every text takes. */
		tokenLayersFull: whole(0).optional(),
	})),
});

const ffn = object({
	before: whole(1),
	after: whole(1),
	/** The strategy chosen. */
	strategy: oneOf(neuronStrategies),
	/** Positions that the candidates' divergence was taken at. */
	positions: oneOf(positionChoices).nullable(),
	/** For each layer that stays, the neurons that stay, as half-open ranges. */
	keep: list(ranges),
	/** Every strategy that was tried; nats per position. */
	candidates: list(object({strategy: oneOf(neuronStrategies), divergence: measured()})),
	/** How clear the cut was, for each layer that stays; empty for strategies without scores. */
	scoreSummary: list(object({
		/** Index in the original checkpoint. */
		layer: whole(0),
		minKept: measured(),
		meanKept: measured(),
		maxDropped: measured(),
		meanDropped: measured(),
		shareKept: measured(),
	})),
	/** For each layer that stays, the score of every neuron, to six digits; absent for strategies without scores. */
	scores: list(list(measured())).optional(),
});

const stage = object({
	name: oneOf(['original', 'vocabulary', 'layers', 'ffn']),
	vocabulary: whole(1),
	layers: whole(1),
	ffnWidth: whole(1),
	parameters: whole(0),
	/** Bytes of the weights. */
	bytes: whole(0),
	/** KL(reference || this stage) on the calibration texts, nats per position; null when it was not measured. */
	divergence: measured(),
	/** Nats per byte of the evaluation texts. */
	lossPerByte: measured().optional(),
	/** Nats per token of the evaluation texts. */
	lossPerToken: measured().optional(),
	/** Fertility on the evaluation texts. */
	tokensPerByte: measured().optional(),
});

const {model, corpus, calibration, evaluation, vocabulary: vocabularyChoice, layers: layerChoice, ffn: ffnChoice, compute} = choiceShape;

/** Schema of a plan. */
export const planSchema = z.strictObject({
	schemaVersion: z.literal(planSchemaVersion),
	generator: object({name: text('a name'), version: text('a version')}),
	source,
	data,
	/** What was asked for, every default filled in; paths without their folders. */
	options: object({model, corpus, calibration, evaluation, vocabulary: vocabularyChoice, layers: layerChoice, ffn: ffnChoice, compute}),
	vocabulary: vocabulary.nullable(),
	layers: layers.nullable(),
	ffn: ffn.nullable(),
	/** Sizes and measurements, the original first. */
	stages: list(stage).min(1, 'at least the original'),
	warnings: list(z.string('a text')),
}, 'an object');

/**
 * What stays of a checkpoint and why: made by the search, carried out by `apply`. A JSON value without time stamps and paths, so that equal
 * inputs give equal plans.
 */
export type Plan = z.output<typeof planSchema>;
/** The checkpoint that a plan was made for. */
export type PlanSource = Plan['source'];
/** One row of the result table. */
export type Stage = Plan['stages'][number];
export type LayerStep = NonNullable<Plan['layers']>['steps'][number];
export type LayerScore = LayerStep['scores'][number];
export type FfnPlan = NonNullable<Plan['ffn']>;
export type LayerPlan = NonNullable<Plan['layers']>;
export type VocabularyPlan = NonNullable<Plan['vocabulary']>;

/** A number as a plan holds it: null for what JSON has no word for (infinity, NaN). */
export const measuredNumber = (value: number): number | null => Number.isFinite(value) ? value : null;
