import {threadId} from 'node:worker_threads';
import {serve} from '../workers/serve.js';
import type {Cuts} from './cuts.js';
import {createCutter, type CutTexts} from './cutter.js';

/** Texts to cut. When the generation is another than before, the numbers of pieces begin anew. */
export type CutRequest = {readonly texts: readonly string[]; readonly generation: number};

/** The texts' pieces, as `thread` numbers them. */
export type CutAnswer = CutTexts & {readonly thread: number};

serve((cuts: Cuts) => {
	const cutter = createCutter(cuts);
	let current = 0;
	return ({texts, generation}: CutRequest): CutAnswer => {
		if (generation !== current) {
			cutter.clear();
			current = generation;
		}

		return {...cutter.cut(texts), thread: threadId};
	};
});
