import type {Measures, ModelHandle, ModelView, Native, PackedTexts, Positions} from '../native/contract.js';
import {runJob} from '../native/jobs.js';
import type {Control} from '../progress.js';
import type {Source} from './source.js';

/** A model at work on one plan. */
export type Session = {
	readonly source: Source;
	readonly native: Native;
	readonly model: ModelHandle;
	/** Rows of the LM head that divergences and losses are over; absent: all. */
	readonly tokens?: Uint32Array;
};

export type MeasureRequest = {
	readonly candidates: readonly ModelView[];
	readonly texts: PackedTexts;
	readonly positions: Positions;
	readonly losses?: boolean;
	/** For progress. */
	readonly phase: 'neurons' | 'evaluate';
	readonly detail?: string;
};

/** Divergences and losses of candidates, against the whole model. */
export const measure = async ({native, model, tokens}: Session, {candidates, texts, positions, losses = false, phase, detail}: MeasureRequest, {signal, onProgress}: Control): Promise<Measures> =>
	runJob(progress => native.measure({model, reference: {tokens}, candidates, texts, positions, losses}, progress), {
		signal,
		onProgress: onProgress && ((done, total) => {
			onProgress({phase, done, total, unit: 'token-layers', detail});
		}),
	});
