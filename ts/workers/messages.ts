import {FlabError} from '../errors.js';
import type {FlabErrorCode} from '../errors.js';

/** What a worker thread sends: news while it works, then an answer or an error. */
export type FromWorker = {readonly news?: number; readonly answer?: unknown; readonly error?: PackedError};

/** An error as it crosses threads: a clone keeps nothing of a class but message and stack. */
export type PackedError = {readonly flab?: {readonly code: FlabErrorCode; readonly message: string; readonly file?: string; readonly hint?: string}; readonly cause: unknown};

export const packError = (error: unknown): PackedError => {
	if (!(error instanceof FlabError)) {
		return {cause: error};
	}

	const {code, message, file, hint, cause} = error;
	return {flab: {code, message, file, hint}, cause};
};

export const unpackError = ({flab, cause}: PackedError): unknown => flab ? new FlabError(flab.code, flab.message, {file: flab.file, hint: flab.hint, cause}) : cause;
