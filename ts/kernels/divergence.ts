import {withCaller} from '../caller.js';
import {badArgument} from '../errors.js';
import {runJob} from '../native/jobs.js';
import {loadNative} from '../native/load.js';
import {floatMatrix, halvesAndFloats} from './floats.js';
import type {FloatMatrix} from './floats.js';
import {kernelChecks} from './options.js';
import type {KernelOptions} from './options.js';
import {outputOf} from './output.js';
import {namingTensors} from './tensors.js';

/** How divergences are taken. */
export type DivergenceOptions = KernelOptions & {
	/** [rows] memory for the result, which may not overlap the matrices, or its bytes at a multiple of 8; without it, new memory is taken. */
	readonly out?: Float64Array | Uint8Array;
};

/**
 * KL(P || Q) of each row of two matrices of logits [rows, V], in nats: sum over v of P(v) (log P(v) - log Q(v)), with P and Q
 * the softmax of the rows. One pass in a form that does not cancel, so divergences keep a relative error near 1e-6 down to 1e-8.
 *
 * A logit of -Infinity is a probability of zero; where only `q` has it the result is Infinity. NaN gives NaN.
 *
 * @param p logits of the reference, f32, bf16 or f16
 * @param q logits of the candidate, same shape; its dtype may differ
 * @returns [rows] nats; `out` if it was given, or an array on its bytes
 * @throws ERR_BAD_ARGUMENT if the matrices or `out` don't fit, ERR_ABORTED
 */
export const klDivergence = withCaller(async (p: FloatMatrix, q: FloatMatrix, options: DivergenceOptions = {}): Promise<Float64Array> => namingTensors({p, q}, async () => {
	kernelChecks().checkKernelOptions(options);
	const [reference, candidate] = [floatMatrix('p', p, halvesAndFloats), floatMatrix('q', q, halvesAndFloats)];
	if (reference.rows !== candidate.rows || reference.columns !== candidate.columns) {
		throw badArgument('q.shape', `[${reference.rows}, ${reference.columns}] as p has`, [candidate.rows, candidate.columns], 'Slice the larger one, so that both have the logits of the same positions and tokens.');
	}

	if (reference.columns === 0 && reference.rows > 0) {
		throw badArgument('p.shape', 'at least one logit a row', p.shape);
	}

	const out = outputOf(Float64Array, reference.rows, options.out);
	const native = loadNative();
	await runJob(() => native.klDivergence(reference, candidate, out), options);
	return out;
}));
