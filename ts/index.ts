// The public surface: everything that is exported here is documented, typed and kept. What takes long to load is loaded on first use.

import {createRequire} from 'node:module';
import {withCaller} from './caller.js';
import type {Diagnosis} from './doctor/diagnosis.js';
import {refuseBundle} from './native/failure.js';
import type * as plans from './plan/plan.js';
import type {ApplyOptions, InspectOptions, Plan, PlanOptions, PruneOptions, Report} from './plan/types.js';
import type {Control, Run} from './progress.js';
import type * as reports from './report/checked.js';
import type {Inspection} from './report/inspection.js';
import type {Reportable} from './report/report.js';
import {startRun} from './run.js';

/**
 * Makes a checkpoint smaller: searches what to cut (`plan`), carries it out and verifies it (`apply`). The same input gives the
 * same bytes, on the same kind of processor.
 *
 * @throws FlabError: those of `plan` and `apply`
 */
export const prune = (options: PruneOptions, control?: Control): Run<Report> => startRun(async control => {
	const {prune} = await import('./pipeline/prune.js');
	return prune(options, control);
}, control);

/**
 * Searches what to cut from a checkpoint and writes nothing: which tokens, layers and FFN neurons stay, every number that the
 * choices were made on, and what each cut costs.
 *
 * @throws FlabError: ERR_BAD_ARGUMENT (options), ERR_READ, ERR_BAD_FILE, ERR_BAD_CONFIG, ERR_UNKNOWN_FAMILY (checkpoint),
 * ERR_BAD_TOKENIZER, ERR_BAD_DATA (texts), ERR_PROOF (the pruned tokenizer is not exact), ERR_MEMORY, ERR_ABORTED
 */
export const plan = (options: PlanOptions, control?: Control): Run<Plan> => startRun(async control => {
	const {plan} = await import('./pipeline/plan.js');
	return plan(options, control);
}, control);

/**
 * Carries out a plan: writes the smaller checkpoint, reopens and verifies it, and puts it at `out`. Until then nothing is
 * there, and nothing stays of a run that failed.
 *
 * @throws FlabError: ERR_BAD_PLAN (malformed, or made for another checkpoint), ERR_OUTPUT_EXISTS, ERR_WRITE (disk full,
 * read-only), ERR_VERIFY, and those of reading a checkpoint
 */
export const apply = (options: ApplyOptions, control?: Control): Run<Report> => startRun(async control => {
	const {apply} = await import('./pipeline/apply.js');
	return apply(options, control);
}, control);

/**
 * Says what a checkpoint is: family, sizes, parameters and bytes by component, and what could be pruned. Reads headers only.
 *
 * @throws FlabError: ERR_READ, ERR_BAD_FILE, ERR_BAD_CONFIG, ERR_UNKNOWN_FAMILY
 */
export const inspect = withCaller(async (options: InspectOptions, control?: Control): Promise<Inspection> => {
	const {inspect} = await import('./pipeline/inspect.js');
	return inspect(options, control);
});

/**
 * Finds out how flab-pruner is installed here and what the machine grants it: the addon and the instruction set in use, threads and
 * memory, with a remedy for everything that is wrong. Never rejects: an addon that does not load is a finding.
 */
export const doctor = async (): Promise<Diagnosis> => {
	const {doctor} = await import('./doctor/doctor.js');
	return doctor();
};

const loadPlans = (): typeof plans => {
	refuseBundle();
	return createRequire(import.meta.url)('./plan/plan.js') as typeof plans;
};

/** A plan from the text of its file; `file` is for messages. @throws ERR_BAD_PLAN with a line for everything that is wrong, ERR_BAD_ARGUMENT */
export const parsePlan = (text: string, file?: string): Plan => loadPlans().parsePlan(text, file);

/** A plan as the text of its file; equal plans give equal bytes. @throws ERR_BAD_PLAN if the plan is not one */
export const planToJson = (plan: Plan): string => loadPlans().planToJson(plan);

const loadReports = (): typeof reports => {
	refuseBundle();
	return createRequire(import.meta.url)('./report/checked.js') as typeof reports;
};

/** A report as JSON text, ending in a line break. @throws ERR_BAD_ARGUMENT if it is none */
export const reportToJson = (report: Reportable): string => loadReports().reportToJson(report);

/** A report as Markdown (tables as GitHub reads them). @throws ERR_BAD_ARGUMENT if it is none */
export const reportToMarkdown = (report: Reportable): string => loadReports().reportToMarkdown(report);

/** A report as one HTML page without scripts and without anything loaded from elsewhere. @throws ERR_BAD_ARGUMENT if it is none */
export const reportToHtml = (report: Reportable): string => loadReports().reportToHtml(report);

export {openCheckpoint} from './kernels/checkpoint.js';
export type {Checkpoint, MappedTensor} from './kernels/checkpoint.js';
export {sliceColumns, sliceRows} from './kernels/slice.js';
export type {SliceOptions} from './kernels/slice.js';
export {klDivergence} from './kernels/divergence.js';
export type {DivergenceOptions} from './kernels/divergence.js';
export {neuronScores} from './kernels/neurons.js';
export type {NeuronScoresInput, NeuronScoresOptions} from './kernels/neurons.js';
export {topK} from './kernels/topk.js';
export type {Scores, TopKOptions} from './kernels/topk.js';
export type {FloatMatrix} from './kernels/floats.js';
export type {Matrix, TensorData} from './kernels/matrix.js';
export type {KernelOptions} from './kernels/options.js';
export type {NeuronMetric} from './native/contract.js';

export {FlabError, errorCodes} from './errors.js';
export type {FlabErrorCode, FlabErrorDetails} from './errors.js';
export type {Control, OnProgress, ProgressEvent, ProgressPhase, Run} from './progress.js';

export type {
	ApplyOptions, DeviceReport, InspectOptions, Output, Plan, PlanOptions, PlanSource, PruneOptions, Report, SampleSource, Stage, TextSource, Timing, Verification,
} from './plan/types.js';
export type {GivenTexts, RepeatableTexts, TextItem, TextStream} from './plan/texts.js';
export type {Reportable} from './report/report.js';
export type {Inspection} from './report/inspection.js';
export type {DiagnosedProblem, Diagnosis} from './doctor/diagnosis.js';
