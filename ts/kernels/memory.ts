import {Words, badArgument} from '../errors.js';

/** Refuses memory that a thread can't read or write safely. @throws ERR_BAD_ARGUMENT */
export const refuseUnusable = (name: string, data: NodeJS.TypedArray): void => {
	if (isDetached(data)) {
		throw badArgument(name, 'memory of this thread', new Words('an array whose memory was transferred or detached'), 'Use it before it is transferred, or what has it now.');
	}

	// Memory that shrinks while a thread reads it would end the process.
	if ((data.buffer as {readonly resizable?: boolean}).resizable) {
		throw badArgument(name, 'memory of a fixed size', new Words('a resizable ArrayBuffer'), 'Pass a copy: data.slice().');
	}
};

// ArrayBuffer.detached is younger than Node 20.
const isDetached = ({buffer}: NodeJS.TypedArray): boolean => {
	if (buffer.byteLength > 0) {
		return false;
	}

	try {
		return new Uint8Array(buffer).length > 0;
	} catch {
		return true;
	}
};
