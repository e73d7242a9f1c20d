// Candidates measured one at a time, each in a call of its own, on texts encoded apart from the pipeline: what the searches' numbers must agree with.
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {Tokenizer} from 'tokenizers';
import {openSource} from '../../ts/pipeline/source.js';
import type {Measures, ModelView, PackedTexts, Positions} from '../../ts/native/contract.js';
import {calibrationTexts} from './checkpoints.js';
import type {Place} from './checkpoints.js';

export type BruteForce = Awaited<ReturnType<typeof openBruteForce>>;

/** A checkpoint's model, and its calibration texts as token ids. */
export const openBruteForce = async ({model: dir}: Pick<Place, 'model'>, compute: 'f32' | 'bf16' = 'f32') => {
	const {native, model: open, layout} = await openSource(dir);
	const model = open(compute);
	const texts = await encode(dir, calibrationTexts);
	return {
		native,
		model,
		texts,
		spec: layout.spec,
		/** One candidate against the whole model, over the logits of `tokens`. */
		measure: async (candidate: ModelView, {positions = 'last', tokens}: {readonly positions?: Positions; readonly tokens?: Uint32Array} = {}): Promise<Measures> =>
			native.measure({model, reference: {tokens}, candidates: [candidate], texts, positions, losses: true}).promise,
	};
};

const encode = async (dir: string, texts: readonly string[]): Promise<PackedTexts> => {
	const tokenizer = Tokenizer.fromString(await readFile(join(dir, 'tokenizer.json'), 'utf8'));
	tokenizer.disablePadding();
	tokenizer.disableTruncation();
	const encodings = await tokenizer.encodeBatch([...texts]);
	const ids = encodings.map(encoding => encoding.getIds());
	return {ids: Int32Array.from(ids.flat()), offsets: Int32Array.from([0, ...ids.map((_, text) => ids.slice(0, text + 1).flat().length)])};
};

/** Whether two numbers agree to 1e-6 relative. */
export const near = (a: number | null | undefined, b: number): boolean => typeof a === 'number' && Math.abs(a - b) <= 1e-6 * Math.abs(b);
