import {abortError, throwIfAborted} from '../errors.js';
import type {Text} from '../calibration/texts.js';

/** Characters of text in a batch: enough to keep all cores busy, little beside the tokenizer itself. */
const batchCharacters = 1_000_000;

/** Texts of a stream in batches of about a megabyte, or of so many characters. */
export async function * batchesOf(texts: AsyncIterable<Text>, length = batchCharacters): AsyncGenerator<readonly Text[]> {
	let batch: Text[] = [];
	let characters = 0;
	for await (const text of texts) {
		batch.push(text);
		characters += text.text.length;
		if (characters >= length) {
			yield batch;
			batch = [];
			characters = 0;
		}
	}

	if (batch.length > 0) {
		yield batch;
	}
}

export type BatchOptions = {
	readonly signal?: AbortSignal;
	/** Characters of a batch. Default about a million. */
	readonly length?: number;
	/** Batches that are worked on at a time. Default 2, so that all cores work while the stream is read and results are taken in. */
	readonly atOnce?: number;
	/** Asked before each batch: whether everything is to be taken in first, and then what to do about it. */
	readonly pause?: () => (() => void) | undefined;
};

/**
 * Runs `work` on every batch, several at a time; `use` gets the results one by one, in order. Stops at the first failure, or
 * when the signal fires.
 */
export const inBatches = async <Result>(
	texts: AsyncIterable<Text>,
	work: (batch: readonly Text[]) => Promise<Result>,
	use: (result: Result, batch: readonly Text[]) => void | Promise<void>,
	{signal, length, atOnce = 2, pause}: BatchOptions = {},
): Promise<void> => {
	const running: Array<{readonly batch: readonly Text[]; readonly result: Promise<Result>}> = [];
	const takeIn = async (): Promise<void> => {
		const {batch, result} = running.shift()!;
		await use(await untilAborted(result, signal), batch);
	};

	for await (const batch of batchesOf(texts, length)) {
		throwIfAborted(signal);
		const afterwards = pause?.();
		while (afterwards && running.length > 0) {
			await takeIn();
		}

		afterwards?.();
		const result = work(batch);
		// Its turn may come late, or never after another failure; a promise that nobody waits for yet must not end the process.
		result.catch(() => undefined);
		running.push({batch, result});
		if (running.length >= atOnce) {
			await takeIn();
		}
	}

	while (running.length > 0) {
		await takeIn();
	}
};

// A batch that the library works on can't be stopped, but need not be waited for: a single text may take long.
const untilAborted = async <Result>(result: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> => {
	throwIfAborted(signal);
	if (signal === undefined) {
		return result;
	}

	let onAbort = (): void => undefined;
	const aborted = new Promise<never>((_, reject) => {
		onAbort = () => {
			reject(abortError(signal));
		};

		signal.addEventListener('abort', onAbort, {once: true});
	});
	return Promise.race([result, aborted]).finally(() => {
		signal.removeEventListener('abort', onAbort);
	});
};
