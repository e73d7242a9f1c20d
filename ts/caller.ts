import {FlabError, missingDirectory} from './errors.js';

/**
 * `call`, whose FlabErrors also show who called it: what fails in a native job or on another thread has no such frames by itself.
 */
export const withCaller = <Call extends (...inputs: never[]) => Promise<unknown>>(call: Call): Call => {
	const wrapped = (...inputs: Parameters<Call>): Promise<unknown> => {
		const caller: {stack?: string} = {};
		Error.captureStackTrace(caller, wrapped);
		return call(...inputs).catch((error: unknown) => {
			throw tracedTo(missingDirectory(error) ?? error, caller);
		});
	};

	return wrapped as Call;
};

const tracedTo = (error: unknown, caller: {readonly stack?: string}): unknown => {
	if (error instanceof FlabError) {
		const [, ...frames] = caller.stack?.split('\n') ?? [];
		if (frames.length > 0 && !error.stack?.includes(frames[0]!)) {
			error.stack = [error.stack, ...frames].join('\n');
		}
	}

	return error;
};
