// The public surface: everything that is exported here is documented, typed and kept. What takes long to load is loaded on first use.

import {createRequire} from 'node:module';
import type * as applying from './pipeline/apply.js';
import type * as inspecting from './pipeline/inspect.js';
import type * as planning from './pipeline/plan.js';
import type * as pruning from './pipeline/prune.js';
import type * as plans from './plan/plan.js';

/**
 * Makes a checkpoint smaller: searches what to cut (`plan`), carries it out and verifies it (`apply`). The same input gives the
 * same bytes, on the same kind of processor.
 *
 * @throws FlabError: those of `plan` and `apply`
 */
export const prune: typeof pruning.prune = async (options, control) => {
	const {prune} = await import('./pipeline/prune.js');
	return prune(options, control);
};

/**
 * Searches what to cut from a checkpoint and writes nothing: which tokens, layers and FFN neurons stay, every number that the
 * choices were made on, and what each cut costs.
 *
 * @throws FlabError: ERR_BAD_ARGUMENT (options), ERR_READ, ERR_BAD_FILE, ERR_BAD_CONFIG, ERR_UNKNOWN_FAMILY (checkpoint),
 * ERR_BAD_TOKENIZER, ERR_BAD_DATA (texts), ERR_PROOF (the pruned tokenizer is not exact), ERR_MEMORY, ERR_ABORTED
 */
export const plan: typeof planning.plan = async (options, control) => {
	const {plan} = await import('./pipeline/plan.js');
	return plan(options, control);
};

/**
 * Carries out a plan: writes the smaller checkpoint, reopens and verifies it, and puts it at `out`. Until then nothing is
 * there, and nothing stays of a run that failed.
 *
 * @throws FlabError: ERR_BAD_PLAN (malformed, or made for another checkpoint), ERR_OUTPUT_EXISTS, ERR_WRITE (disk full,
 * read-only), ERR_VERIFY, and those of reading a checkpoint
 */
export const apply: typeof applying.apply = async (options, control) => {
	const {apply} = await import('./pipeline/apply.js');
	return apply(options, control);
};

/**
 * Says what a checkpoint is: family, sizes, parameters and bytes by component, and what could be pruned. Reads headers only.
 *
 * @throws FlabError: ERR_READ, ERR_BAD_FILE, ERR_BAD_CONFIG, ERR_UNKNOWN_FAMILY
 */
export const inspect: typeof inspecting.inspect = async (options, control) => {
	const {inspect} = await import('./pipeline/inspect.js');
	return inspect(options, control);
};

const loadPlans = (): typeof plans => createRequire(import.meta.url)('./plan/plan.js') as typeof plans;

/** A plan from the text of its file; `file` is for messages. @throws ERR_BAD_PLAN with a line for everything that is wrong */
export const parsePlan: typeof plans.parsePlan = (text, file) => loadPlans().parsePlan(text, file);

/** A plan as the text of its file; equal plans give equal bytes. @throws ERR_INTERNAL if the plan is not one */
export const planToJson: typeof plans.planToJson = plan => loadPlans().planToJson(plan);

export {openCheckpoint} from './kernels/checkpoint.js';
export type {Checkpoint, MappedTensor} from './kernels/checkpoint.js';
export {sliceColumns, sliceRows} from './kernels/slice.js';
export type {SliceOptions} from './kernels/slice.js';
export {klDivergence} from './kernels/divergence.js';
export {neuronScores} from './kernels/neurons.js';
export type {NeuronScoresInput} from './kernels/neurons.js';
export {topK} from './kernels/topk.js';
export type {FloatMatrix, Matrix, TensorData} from './kernels/matrix.js';
export type {NeuronMetric} from './native/contract.js';

export {FlabError, errorCodes} from './errors.js';
export type {FlabErrorCode, FlabErrorDetails} from './errors.js';
export type {Control, OnProgress, ProgressEvent, ProgressPhase} from './progress.js';

export type {Plan, PlanSource, Stage} from './plan/schema.js';
export type {ApplyOptions, InspectOptions, PlanOptions, PruneOptions, SampleSource, TextSource} from './plan/options.js';
export type {Report, Output, Timing, Verification} from './report/report.js';
export {reportToJson} from './report/report.js';
export {reportToMarkdown} from './report/markdown.js';
export {reportToHtml} from './report/html.js';
export type {Inspection} from './report/inspection.js';
