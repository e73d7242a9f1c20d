import type * as z from 'zod';
import {FlabError} from '../errors.js';
import {complaintLine, complaintsOf} from './complaints.js';

/**
 * A value as its schema reads it.
 *
 * @param name what the whole value is called in messages
 * @throws ERR_BAD_ARGUMENT with one line for everything that is wrong: path, expected, got
 */
export const parsed = <Schema extends z.ZodType>(schema: Schema, value: unknown, name = 'options', hint?: string): z.output<Schema> => {
	const result = schema.safeParse(value);
	if (result.success) {
		return result.data;
	}

	const complaints = complaintsOf(result.error, value);
	throw new FlabError('ERR_BAD_ARGUMENT', complaints.map(complaint => complaintLine({...complaint, path: complaint.path || name})).join('\n'), {hint});
};
