import type {z} from 'zod';
import {complaintsOf, type Complaint} from './complaints.js';
import {
	applyOptionsSchema, inspectOptionsSchema, planOptionsSchema, pruneOptionsSchema, type choiceShape, type ffn, type layers, type textSource, type vocabulary,
} from './optionSchemas.js';
import {parsed} from './parsed.js';
import type {ApplyOptions, InspectOptions, PlanOptions, PruneOptions} from './types.js';

export type {ApplyOptions, InspectOptions, PlanOptions, PruneOptions, SampleSource, TextSource} from './types.js';

/**
 * Checks and completes the options of `plan`.
 *
 * @throws ERR_BAD_ARGUMENT with one line for everything that is wrong: path, expected, got.
 */
export const resolvePlanOptions = (options: PlanOptions): ResolvedPlanOptions => parsed(planOptionsSchema, options);

/** The same for `apply`. */
export const resolveApplyOptions = (options: ApplyOptions): ResolvedApplyOptions => parsed(applyOptionsSchema, options);

/** The same for `prune`. */
export const resolvePruneOptions = (options: PruneOptions): ResolvedPruneOptions => parsed(pruneOptionsSchema, options);

/** The same for `inspect`. */
export const resolveInspectOptions = (options: InspectOptions): ResolvedInspectOptions => parsed(inspectOptionsSchema, options);

/** Everything that is wrong with `options`, nothing if they are fine. */
export const complaintsAbout = (schema: z.ZodType, options: unknown): readonly Complaint[] => {
	const result = schema.safeParse(options);
	return result.success ? [] : complaintsOf(result.error, options);
};

/** Options with every default filled in. */
export type ResolvedTextSource = z.output<typeof textSource>;
export type ResolvedSampleSource = NonNullable<z.output<typeof choiceShape.calibration>>;
export type VocabularyOptions = z.output<typeof vocabulary>;
export type LayerOptions = z.output<typeof layers>;
export type FfnOptions = z.output<typeof ffn>;
export type ResolvedPlanOptions = z.output<typeof planOptionsSchema>;
export type ResolvedPruneOptions = z.output<typeof pruneOptionsSchema>;
export type ResolvedApplyOptions = z.output<typeof applyOptionsSchema>;
export type ResolvedInspectOptions = z.output<typeof inspectOptionsSchema>;
