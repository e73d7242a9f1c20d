// The public surface: everything that is exported here is documented, typed and kept.

export {prune} from './pipeline/prune.js';
export {plan} from './pipeline/plan.js';
export {apply} from './pipeline/apply.js';
export {inspect} from './pipeline/inspect.js';

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

export {parsePlan, planToJson} from './plan/plan.js';
export type {Plan, PlanSource, Stage} from './plan/schema.js';
export type {ApplyOptions, InspectOptions, PlanOptions, PruneOptions, SampleSource, TextSource} from './plan/options.js';
export type {Report, Output, Timing, Verification} from './report/report.js';
export {reportToJson} from './report/report.js';
export {reportToMarkdown} from './report/markdown.js';
export {reportToHtml} from './report/html.js';
export type {Inspection} from './report/inspection.js';
