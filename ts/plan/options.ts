import type {z} from 'zod';
import {FlabError, badArgument} from '../errors.js';
import type {Control} from '../progress.js';
import {complaintLine, complaintsOf, type Complaint} from './complaints.js';
import {
	applyOptionsSchema, inspectOptionsSchema, planOptionsSchema, pruneOptionsSchema, type choiceShape, type ffn, type layers, type textSource, type vocabulary,
} from './optionSchemas.js';

/**
 * Checks and completes the options of `plan`.
 *
 * @throws ERR_BAD_ARGUMENT with one line for everything that is wrong: path, expected, got.
 */
export const resolvePlanOptions = (options: PlanOptions): ResolvedPlanOptions => resolved(planOptionsSchema, options);

/** The same for `apply`. */
export const resolveApplyOptions = (options: ApplyOptions): ResolvedApplyOptions => resolved(applyOptionsSchema, options);

/** The same for `prune`. */
export const resolvePruneOptions = (options: PruneOptions): ResolvedPruneOptions => resolved(pruneOptionsSchema, options);

/** The same for `inspect`. */
export const resolveInspectOptions = (options: InspectOptions): ResolvedInspectOptions => resolved(inspectOptionsSchema, options);

/** Everything that is wrong with `options`, nothing if they are fine. */
export const complaintsAbout = (schema: z.ZodType, options: unknown): readonly Complaint[] => {
	const result = schema.safeParse(options);
	return result.success ? [] : complaintsOf(result.error, options);
};

/** Checks the types of what is passed beside the options. @throws ERR_BAD_ARGUMENT */
export const checkControl = ({signal, onProgress}: Control): void => {
	if (signal !== undefined && !(signal instanceof AbortSignal)) {
		throw badArgument('signal', 'an AbortSignal', signal);
	}

	if (onProgress !== undefined && typeof onProgress !== 'function') {
		throw badArgument('onProgress', 'a function', onProgress);
	}
};

const resolved = <Schema extends z.ZodType>(schema: Schema, options: unknown): z.output<Schema> => {
	const result = schema.safeParse(options);
	if (result.success) {
		return result.data;
	}

	throw new FlabError('ERR_BAD_ARGUMENT', complaintsOf(result.error, options).map(complaint => complaintLine(complaint)).join('\n'));
};

/** Texts: a path, a list of paths, or paths with how to read them. */
export type TextSource = z.input<typeof textSource>;
/** Texts with limits: how many, and how many tokens of each. */
export type SampleSource = NonNullable<z.input<typeof choiceShape.calibration>>;
/** What `plan` takes. */
export type PlanOptions = z.input<typeof planOptionsSchema>;
/** What `prune` takes. */
export type PruneOptions = z.input<typeof pruneOptionsSchema>;
/** What `apply` takes. */
export type ApplyOptions = z.input<typeof applyOptionsSchema>;
/** What `inspect` takes. */
export type InspectOptions = z.input<typeof inspectOptionsSchema>;

/** The same with every default filled in. */
export type ResolvedTextSource = z.output<typeof textSource>;
export type ResolvedSampleSource = NonNullable<z.output<typeof choiceShape.calibration>>;
export type VocabularyOptions = z.output<typeof vocabulary>;
export type LayerOptions = z.output<typeof layers>;
export type FfnOptions = z.output<typeof ffn>;
export type ResolvedPlanOptions = z.output<typeof planOptionsSchema>;
export type ResolvedPruneOptions = z.output<typeof pruneOptionsSchema>;
export type ResolvedApplyOptions = z.output<typeof applyOptionsSchema>;
export type ResolvedInspectOptions = z.output<typeof inspectOptionsSchema>;
