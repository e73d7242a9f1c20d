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
