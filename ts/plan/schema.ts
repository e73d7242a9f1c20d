import * as z from 'zod';
import {layerMetrics, layerSearches, neuronStrategies, positionChoices, vocabularySelections} from './choices.js';
import {finite, flag, measured, named, object, oneOf, text, texts, whole} from './fields.js';
import {notedShape} from './optionSchemas.js';
import type {Plan} from './types.js';

export type {Plan, PlanSource, Stage} from './types.js';

/** The version of plans that this release writes, and the versions that it reads. */
export const planSchemaVersion = 1;
export const knownSchemaVersions: readonly number[] = [planSchemaVersion];

export const record = <Value extends z.ZodType>(value: Value) => z.record(z.string(), value, 'an object');
export const list = <Item extends z.ZodType>(item: Item) => z.array(item, 'an array');

export const hash = z.string('a SHA-256 in hexadecimal').regex(/^[\da-f]{64}$/, 'a SHA-256 in hexadecimal');
const ranges = list(z.tuple([whole(0), whole(0)], '[begin, end), two whole numbers'));
const share = finite('a share').min(0, 'a share').max(1, 'a share');

const source = object({
	family: text('a family'),
	config: object({
		layers: whole(1),
		width: whole(1),
		ffnWidth: whole(1),
		vocabulary: whole(1),
		queryHeads: whole(1).optional(),
		kvHeads: whole(1).optional(),
		headWidth: whole(1).optional(),
		tied: flag().optional().describe('Whether embedding and LM head are one tensor.'),
		dtypes: texts(1, 'a dtype', 'an array of dtypes').optional().describe('Dtypes of the weights, most bytes first.'),
	}).describe('Sizes of the checkpoint.'),
	files: record(object({bytes: whole(0), sha256: hash})).describe('Files that the plan depends on, by name in the checkpoint folder.'),
}).meta(named('PlanSource', 'The checkpoint that a plan was made for.'));

const data = object({
	corpus: object({files: whole(0), texts: whole(0), bytes: whole(0), tokens: whole(0), sha256: hash}).optional(),
	calibration: object({texts: whole(0), tokens: whole(0), bytes: whole(0).optional(), sha256: hash}).optional().describe('`sha256` is of the token ids.'),
	evaluation: object({texts: whole(0), tokens: whole(0), bytes: whole(0).optional(), sha256: hash}).optional(),
});

const vocabulary = object({
	before: whole(1),
	after: whole(1),
	keep: ranges.describe('Ids that stay, as half-open ranges of the original ids.'),
	selection: object({
		select: oneOf(vocabularySelections),
		minCount: whole(1).optional(),
		top: whole(1).optional(),
		coverage: share.optional(),
		multipleOf: whole(1),
	}),
	reasons: record(whole(0)).describe('Number of tokens that stay, by why they do.'),
	counts: record(finite()).describe('What the counting found: tokens, distinct tokens and the like.'),
	frequencies: list(z.tuple([whole(0), whole(1)], '[id, occurrences]')).optional().describe('[id, occurrences] of every token that the texts use.'),
	proof: record(z.union([finite(), z.string(), z.boolean()], 'a number, a text, true or false')).describe('What the comparison of both tokenizers on the corpus found.'),
});

const layerScore = object({
	layer: whole(0).describe('Index in the original checkpoint.'),
	score: measured().describe('What the choice was made by: the smallest goes.'),
	divergence: measured().optional().describe('KL(reference || model without this layer too), nats per position.'),
	loss: measured().optional().describe('Next-token loss without this layer too, nats per token.'),
	blockInfluence: measured().optional(),
	blockInfluenceLast: measured().optional(),
	angular: measured().optional().describe("Angular distance of the layer's input and output, or of the block that begins here when blocks are dropped."),
	texts: whole(1).optional().describe('Texts that score and divergence were measured on; absent where they are all of them.'),
});

const layers = object({
	before: whole(1),
	after: whole(1),
	keep: list(whole(0)).describe('Indices in the original checkpoint that stay, ascending.'),
	dropped: list(whole(0)).describe('Those that go, in the order in which they were dropped.'),
	metric: oneOf(layerMetrics).nullable().describe('null when the layers were listed.'),
	positions: oneOf(positionChoices).nullable(),
	search: oneOf([...layerSearches, 'list']),
	steps: list(object({
		dropped: list(whole(0)),
		scores: list(layerScore),
		tokenLayers: whole(0).optional().describe('Passes of a token through a layer that the scoring took.'),
		tokenLayersFull: whole(0).optional().describe('Those that every candidate on every text takes.'),
	})).describe('Each scoring, with the layers dropped because of it.'),
});

const ffn = object({
	before: whole(1),
	after: whole(1),
	strategy: oneOf(neuronStrategies).describe('The strategy chosen.'),
	positions: oneOf(positionChoices).nullable().describe("Positions that the candidates' divergence was taken at."),
	keep: list(ranges).describe('For each layer that stays, the neurons that stay, as half-open ranges.'),
	candidates: list(object({strategy: oneOf(neuronStrategies), divergence: measured()})).describe('Every strategy that was tried; nats per position.'),
	scoreSummary: list(object({
		layer: whole(0).describe('Index in the original checkpoint.'),
		minKept: measured(),
		meanKept: measured(),
		maxDropped: measured(),
		meanDropped: measured(),
		shareKept: measured(),
	})).describe('How clear the cut was, for each layer that stays; empty for strategies without scores.'),
	scores: list(list(measured())).optional().describe('For each layer that stays, the score of every neuron, to six digits; absent for strategies without scores.'),
});

const stage = object({
	name: oneOf(['original', 'vocabulary', 'layers', 'ffn']),
	vocabulary: whole(1),
	layers: whole(1),
	ffnWidth: whole(1),
	parameters: whole(0),
	bytes: whole(0).describe('Bytes of the weights.'),
	divergence: measured().describe('KL(reference || this stage) on the calibration texts, nats per position; null when it was not measured.'),
	lossPerByte: measured().optional().describe('Nats per byte of the evaluation texts.'),
	lossPerToken: measured().optional().describe('Nats per token of the evaluation texts.'),
	tokensPerByte: measured().optional().describe('Tokens per byte of the evaluation texts.'),
}).meta(named('Stage', 'One row of the result table: what is there after a cut, and what it cost.'));

/** Schema of a plan. */
export const planSchema = object({
	schemaVersion: z.literal(planSchemaVersion, String(planSchemaVersion)),
	generator: object({name: text('a name'), version: text('a version')}),
	source: source.describe('The checkpoint that it is for.'),
	data: data.describe('The texts that it was decided on.'),
	device: object({
		name: text('a name').describe("Such as 'NVIDIA H100 80GB HBM3'."),
		products: text('a text').describe('What computed matrix products: cuBLASLt with its version, or why it was not used.'),
	}).optional().describe('The GPU that the numbers were computed on; absent: the CPU.'),
	options: object(notedShape).describe('What was asked for, every default filled in; paths without their folders.'),
	vocabulary: vocabulary.nullable().describe('null when every token stays.'),
	layers: layers.nullable().describe('null when every layer stays.'),
	ffn: ffn.nullable().describe('null when every neuron stays.'),
	stages: list(stage).min(1, 'at least the original').describe('Sizes and measurements, the original first.'),
	warnings: list(z.string('a text')).describe('Sentences about what a reader should know.'),
}).meta(named('Plan', 'What stays of a checkpoint and why: made by the search, carried out by `apply`. A JSON value without time stamps and paths, so that equal inputs give equal plans.'));

export type LayerStep = NonNullable<Plan['layers']>['steps'][number];
export type LayerScore = LayerStep['scores'][number];
export type FfnPlan = NonNullable<Plan['ffn']>;
export type LayerPlan = NonNullable<Plan['layers']>;
export type VocabularyPlan = NonNullable<Plan['vocabulary']>;

/** A number as a plan holds it: null for what JSON has no word for (infinity, NaN). */
export const measuredNumber = (value: number): number | null => Number.isFinite(value) ? value : null;
