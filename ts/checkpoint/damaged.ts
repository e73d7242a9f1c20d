import {FlabError} from '../errors.js';

/** The one form of "this file is damaged". `tensor` is named in front of the sentence. */
export const damaged = (path: string, what: string, tensor?: string, hint = 'The file is damaged or incomplete: fetch it again.'): FlabError =>
	new FlabError('ERR_BAD_FILE', `${path}: ${tensor === undefined ? '' : `${JSON.stringify(tensor)} `}${what}`, {file: path, tensor, hint});

/** A number for people: 9120 as 9,120. */
export const count = (value: number | bigint): string => value.toLocaleString('en-US');
