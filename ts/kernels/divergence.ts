import {withCaller} from '../caller.js';
import {badArgument} from '../errors.js';
import {runJob} from '../native/jobs.js';
import {loadNative} from '../native/load.js';
import {checkKernelOptions, kernelMatrix, outputOf} from './matrix.js';
import type {FloatMatrix, KernelOptions} from './matrix.js';

/** How divergences are taken. */
export type DivergenceOptions = KernelOptions & {
	/** [rows] memory for the result, which may not overlap the matrices; without it, new memory is taken. */
	readonly out?: Float64Array;
};

/**
 * KL(P || Q) of each row of two matrices of logits [rows, V], in nats: sum over v of P(v) (log P(v) - log Q(v)), with P and Q
 * the softmax of the rows. One pass in a form that does not cancel, so divergences keep a relative error near 1e-6 down to 1e-8.
 *
 * A logit of -Infinity is a probability of zero; where only `q` has it the result is Infinity. NaN gives NaN.
 *
 * @param p logits of the reference, f32, bf16 or f16
 * @param q logits of the candidate, same shape; its dtype may differ
 * @returns [rows] nats; `out` if it was given
 * @throws ERR_BAD_ARGUMENT if the matrices or `out` don't fit, ERR_ABORTED
 */
export const klDivergence = withCaller(async (p: FloatMatrix, q: FloatMatrix, options: DivergenceOptions = {}): Promise<Float64Array> => {
	checkKernelOptions(options);
	const [reference, candidate] = [kernelMatrix('p', p), kernelMatrix('q', q)];
	if (reference.rows !== candidate.rows || reference.columns !== candidate.columns) {
		throw badArgument('q.shape', `[${reference.rows}, ${reference.columns}] as p has`, [candidate.rows, candidate.columns]);
	}

	if (reference.columns === 0 && reference.rows > 0) {
		throw badArgument('p.shape', 'at least one logit a row', p.shape);
	}

	const out = outputOf(Float64Array, reference.rows, options.out);
	const native = loadNative();
	await runJob(() => native.klDivergence(reference, candidate, out), options);
	return out;
});
