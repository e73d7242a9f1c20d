import * as z from 'zod';
import {finite, named, object, text, whole} from '../plan/fields.js';
import {hash, list, planSchema, record} from '../plan/schema.js';

const verification = object({
	relativeError: finite().describe('sqrt(sum of squared differences / sum of squared logits of the original).'),
	maxDifference: finite().describe('Largest difference of two logits.'),
	maxLogit: finite().describe('Largest |logit| of the original.'),
	positions: whole(0).describe('Positions compared.'),
	sameTop: whole(0).describe('Those of them at which the largest logit is the same token\'s.'),
	tolerance: finite().describe('Largest relative error that is accepted.'),
}).meta(named('Verification', 'How far the written checkpoint\'s logits are from those of the masked original.'));

const output = object({
	files: record(object({bytes: whole(0), sha256: hash.optional()})).describe('By name in the output folder.'),
	bytes: whole(0).describe('All files together.'),
	parameters: whole(0).describe('Elements of all tensors; an embedding that is the LM head too counts once.'),
}).meta(named('Output', 'What was written.'));

const timing = object({phase: text('a name'), durationMs: finite()}).meta(named('Timing', 'How long a part of the run took.'));

const device = object({
	name: text('a name').describe("'cpu', or 'cuda:N'."),
	reason: text('a text').describe('Why it was this one, as a sentence.'),
}).meta(named('DeviceReport', 'What the model ran on.'));

/** Schema of a report. */
export const reportSchema = object({
	schemaVersion: z.literal(1, '1'),
	plan: planSchema.describe('What was decided, and the numbers that it was decided on.'),
	output,
	verification: verification.nullable().describe('null when verification was switched off.'),
	device: device.optional().describe('What the search ran on; absent where nothing was searched.'),
	timings: list(timing).describe('In the order in which they began.'),
	peakBytes: whole(0).describe('Largest resident memory of the process, mapped weights included; 0 when unknown.'),
}).meta(named('Report', 'What `prune` and `apply` give back: the plan that was carried out, what was written, how it was checked.'));
