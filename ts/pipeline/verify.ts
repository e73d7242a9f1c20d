import {FlabError} from '../errors.js';
import type {PackedTexts} from '../native/contract.js';
import {runJob} from '../native/jobs.js';
import {keepLists} from '../plan/plan.js';
import type {ResolvedSampleSource} from '../plan/options.js';
import {randomStream} from '../plan/random.js';
import type {Plan} from '../plan/schema.js';
import type {Control} from '../progress.js';
import type {Verification} from '../report/report.js';
import {readTokenizer} from '../tokenizer/files.js';
import {originalReader, readSample} from './samples.js';
import {openSource} from './source.js';
import type {Source} from './source.js';

/**
 * Largest relative error of the logits that is accepted. Both sides are computed in f32 and add the same products in the same
 * order (a zeroed neuron adds nothing), so the expected difference is zero; 2^-20, eight units in the last place of f32, leaves
 * room for an order of sums that depends on the width, and is far below what any wrong row, column or layer gives.
 */
const tolerance = 2 ** -20;

/** Texts and tokens that are enough to see any wrong row, column or layer. */
const maxTexts = 8;
const maxTokens = 128;

/**
 * Reopens a written checkpoint and compares its logits with those of the original masked in memory: dropped layers are skipped,
 * dropped neurons set to zero, logits of dropped tokens left out. The texts go through the tokenizer that was written.
 *
 * @throws ERR_VERIFY if they disagree
 */
export const verifyOutput = async (source: Source, plan: Plan, folder: string, calibration: ResolvedSampleSource | undefined, {signal, onProgress}: Control): Promise<Verification> => {
	const written = await openSource(folder);
	const keep = keepLists(plan);
	const after = calibration ? await calibrationTexts(written, folder, calibration, {signal}) : randomTexts(written.layout.spec.vocabulary);
	const before = {...after, ids: keep.tokens ? after.ids.map(id => keep.tokens![id]!) : after.ids};
	const comparison = await runJob(progress => source.native.compare({
		a: {model: source.model('f32'), view: keep, texts: before},
		b: {model: written.model('f32'), view: {}, texts: after},
	}, progress), {
		signal,
		onProgress: onProgress && ((done, total) => {
			onProgress({phase: 'verify', done, total, unit: 'token-layers'});
		}),
	});
	if (!(comparison.relativeError <= tolerance)) {
		throw new FlabError('ERR_VERIFY', `${folder}: expected the logits of the written checkpoint to be those of the masked original, got a relative error of ${comparison.relativeError} (accepted: ${tolerance})`, {
			hint: Number.isNaN(comparison.relativeError)
				? 'The logits are not numbers: check the checkpoint for NaN and infinite weights.'
				: 'Nothing was published. Check the disk; if it is sound, this is a defect of flab-pruner.',
		});
	}

	return {...comparison, tolerance};
};

const calibrationTexts = async (written: Source, folder: string, calibration: ResolvedSampleSource, control: Control): Promise<PackedTexts> => {
	const reader = originalReader(await readTokenizer(folder), written.layout.spec.vocabulary);
	return readSample(reader, {...calibration, maxTexts: Math.min(maxTexts, calibration.maxTexts), maxTokens: Math.min(maxTokens, calibration.maxTokens)}, control);
};

// Without calibration texts: tokens at random, the same in every run.
const randomTexts = (vocabulary: number): PackedTexts => {
	const next = randomStream(0, 0);
	const ids = Int32Array.from({length: maxTexts * maxTokens}, () => Math.floor(next() / 2 ** 32 * vocabulary));
	return {ids, offsets: Int32Array.from({length: maxTexts + 1}, (_, text) => text * maxTokens)};
};
