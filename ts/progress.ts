import * as z from 'zod';
import {object} from './plan/fields.js';
import {parsed} from './plan/parsed.js';

/** The long parts of a run, in the order they come. */
export type ProgressPhase = 'count' | 'prove' | 'layers' | 'neurons' | 'evaluate' | 'write' | 'verify' | 'hash';

/** One progress event. `done` and `total` are in `unit`; `total` is 0 when it is not known beforehand. */
export type ProgressEvent = {
	readonly phase: ProgressPhase;
	readonly done: number;
	readonly total: number;
	readonly unit: 'bytes' | 'texts' | 'token-layers' | 'tokens';
	/** What is being worked on, when one phase has several parts: "step 2 of 4". */
	readonly detail?: string;
};

/** Called on the event loop, at most a few dozen times a second; an exception thrown by it ends the operation. */
export type OnProgress = (event: ProgressEvent) => void;

/** What every long operation takes. */
export type Control = {
	/** Cancels: the operation rejects with `ERR_ABORTED` within a second and leaves nothing half-written. */
	readonly signal?: AbortSignal;
	readonly onProgress?: OnProgress;
};

/**
 * A run under way: a promise of its result that is also the stream of its progress events.
 *
 * `for await (const event of run)` ends when the run ends, and throws what it rejects with. Whoever reads slowly misses nothing but
 * older events of the same phase and detail. Leaving the loop early leaves the run alone: a `signal` cancels it.
 */
export type Run<Result> = Promise<Result> & AsyncIterable<ProgressEvent>;

/** Schema of a signal. */
export const signal = z.custom<AbortSignal>(value => value instanceof AbortSignal, 'an AbortSignal');

const controlSchema = object({
	signal: signal.optional(),
	onProgress: z.custom<OnProgress>(value => typeof value === 'function', 'a function').optional(),
}, 'an object with signal or onProgress');

/** Checks what is passed beside the options. @throws ERR_BAD_ARGUMENT */
export const checkControl = (control: Control): void => {
	parsed(controlSchema, control, 'control');
};
