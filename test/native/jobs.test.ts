import test from 'ava';
import {FlabError} from '../../ts/errors.js';
import {guarded, runJob} from '../../ts/native/jobs.js';

const refusal = Object.assign(new Error('scoring the layers takes at least 1.2 GB, the limit is 500 MB'), {code: 'ERR_MEMORY'});
const expected = {instanceOf: FlabError, code: 'ERR_MEMORY', message: 'Not enough memory: scoring the layers takes at least 1.2 GB, the limit is 500 MB'} as const;

test('work that does not fit says so in the addon\'s words, with what to do about it', async t => {
	const job = () => ({promise: Promise.reject(refusal), cancel() {}});
	const errors = [await t.throwsAsync(runJob(job), expected), t.throws(() => guarded(() => {
		throw refusal;
	}), expected)];
	for (const error of errors) {
		t.is((error as FlabError).hint, 'Pass a larger maxMemory (--max-memory) if there is one, or use fewer or shorter calibration texts.');
		t.is(error?.cause, refusal);
	}
});
