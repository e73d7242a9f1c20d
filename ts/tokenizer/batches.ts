import {throwIfAborted} from '../errors.js';
import type {Text} from '../calibration/texts.js';

/** Characters of text in a batch: enough to keep all cores busy, little beside the tokenizer itself. */
const batchCharacters = 1_000_000;

/** Texts of a stream in batches of about a megabyte. */
// eslint-disable-next-line func-style
export async function * batchesOf(texts: AsyncIterable<Text>): AsyncGenerator<readonly Text[]> {
	let batch: Text[] = [];
	let characters = 0;
	for await (const text of texts) {
		batch.push(text);
		characters += text.text.length;
		if (characters >= batchCharacters) {
			yield batch;
			batch = [];
			characters = 0;
		}
	}

	if (batch.length > 0) {
		yield batch;
	}
}

/**
 * Runs `work` on every batch, two at a time so that all cores work while the stream is read and results are taken in;
 * `use` gets the results one by one, in order. Stops at the first failure, or when the signal fires.
 */
export const inBatches = async <Result>(
	texts: AsyncIterable<Text>,
	work: (batch: readonly Text[]) => Promise<Result>,
	use: (result: Result, batch: readonly Text[]) => void | Promise<void>,
	signal?: AbortSignal,
): Promise<void> => {
	const running: Array<{readonly batch: readonly Text[]; readonly result: Promise<Result>}> = [];
	const takeIn = async (): Promise<void> => {
		const {batch, result} = running.shift()!;
		await use(await result, batch);
	};

	try {
		for await (const batch of batchesOf(texts)) {
			throwIfAborted(signal);
			running.push({batch, result: work(batch)});
			if (running.length >= 2) {
				await takeIn();
			}
		}

		while (running.length > 0) {
			throwIfAborted(signal);
			await takeIn();
		}
	} finally {
		// What still runs can't be stopped; its failure is nobody's business any more.
		await Promise.allSettled(running.map(({result}) => result));
	}
};
