import type {Plan} from '../plan/schema.js';
import {toJson} from '../plan/json.js';

/** How far the written checkpoint's logits are from those of the masked original. */
export type Verification = {
	/** sqrt(sum of squared differences / sum of squared logits of the original). */
	readonly relativeError: number;
	/** Largest difference of two logits. */
	readonly maxDifference: number;
	/** Largest |logit| of the original. */
	readonly maxLogit: number;
	/** Positions compared. */
	readonly positions: number;
	/** Those of them at which the largest logit is the same token's. */
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
	/** Elements of all tensors; an embedding that is the LM head too counts once. */
	readonly parameters: number;
};

/** How long a part of the run took. */
export type Timing = {readonly phase: string; readonly durationMs: number};

/** What `prune` and `apply` give back: the plan that was carried out, what was written, how it was checked. */
export type Report = {
	readonly schemaVersion: 1;
	/** What was decided, and the numbers that it was decided on. */
	readonly plan: Plan;
	readonly output: Output;
	/** null when verification was switched off */
	readonly verification: Verification | null;
	/** In the order in which they began. */
	readonly timings: readonly Timing[];
	/** Largest resident memory of the process, mapped weights included; 0 when unknown. */
	readonly peakBytes: number;
};

/** What can be rendered: a report, or a plan that has not been carried out. */
export type Reportable = Pick<Report, 'plan'> & Partial<Report>;

/** A report as JSON text, ending in a line break. */
export const reportToJson = (report: Reportable): string => toJson(report);
