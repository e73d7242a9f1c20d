import type {Plan} from '../plan/schema.js';
import {toJson} from '../plan/json.js';

/** How far the written checkpoint's logits are from those of the masked original. */
export type Verification = {
	/** sqrt(sum of squared differences / sum of squared logits of the original). */
	readonly relativeError: number;
	readonly maxDifference: number;
	/** Largest |logit| of the original. */
	readonly maxLogit: number;
	/** Positions compared, and on how many of them the largest logit is the same token. */
	readonly positions: number;
	readonly sameTop: number;
	/** Largest relative error that is accepted. */
	readonly tolerance: number;
};

/** What was written. */
export type Output = {
	/** By name in the output folder. */
	readonly files: Readonly<Record<string, {readonly bytes: number; readonly sha256?: string}>>;
	/** All files together. */
	readonly bytes: number;
	readonly parameters: number;
};

/** How long a part of the run took. */
export type Timing = {readonly phase: string; readonly durationMs: number};

/** What `prune` and `apply` give back: the plan that was carried out, what was written, how it was checked. */
export type Report = {
	readonly schemaVersion: 1;
	readonly plan: Plan;
	readonly output: Output;
	/** null when verification was switched off */
	readonly verification: Verification | null;
	readonly timings: readonly Timing[];
	/** Largest resident memory of the process, mapped weights included; 0 when unknown. */
	readonly peakBytes: number;
};

/** What can be rendered: a report, or a plan that has not been carried out. */
export type Reportable = Pick<Report, 'plan'> & Partial<Report>;

/** A report as JSON text, ending in a line break. */
export const reportToJson = (report: Reportable): string => toJson(report);
