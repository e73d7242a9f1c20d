import type {Diagnosis} from '../doctor/diagnosis.js';
import type {ApplyOptions, InspectOptions, PlanOptions, PruneOptions} from '../plan/options.js';
import type {Plan} from '../plan/schema.js';
import type {Control} from '../progress.js';
import type {Inspection} from '../report/inspection.js';
import type {Report} from '../report/report.js';

/** What the commands do, apart from the terminal: the package's own API. */
export type Pipeline = {
	readonly prune: (options: PruneOptions, control?: Control) => Promise<Report>;
	readonly plan: (options: PlanOptions, control?: Control) => Promise<Plan>;
	readonly apply: (options: ApplyOptions, control?: Control) => Promise<Report>;
	readonly inspect: (options: InspectOptions, control?: Control) => Promise<Inspection>;
	readonly doctor: () => Promise<Diagnosis>;
};

/** A stream to a terminal, a file or a pipe. */
export type Output = NodeJS.WritableStream & {readonly isTTY?: boolean; readonly columns?: number};

/** What a run of the command line is given. */
export type Context = {
	readonly stdout: Output;
	readonly stderr: Output;
	/** Loads the pipeline; called only when there is work to do, as it loads the native addon. */
	readonly pipeline: () => Promise<Pipeline>;
	readonly signal?: AbortSignal;
};
