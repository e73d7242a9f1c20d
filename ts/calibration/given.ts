import {FlabError, abortError, badArgument, describe, throwIfAborted} from '../errors.js';
import type {GivenTexts, TextItem} from '../plan/texts.js';
import type {Control} from '../progress.js';
import type {Text} from './texts.js';

/** What messages call texts that come from no file. */
const place = 'texts';

/**
 * Texts that the caller gives, one at a time: the next is asked for when the last one is done with. Empty texts are left out.
 *
 * @throws `ERR_BAD_DATA` for a text that is none, or when the iterable fails
 */
export async function * readGiven(texts: GivenTexts, {signal}: Control = {}): AsyncGenerator<Text> {
	throwIfAborted(signal);
	const iterator = iteratorOf(typeof texts === 'function' ? await failing(async () => texts()) : texts);
	const abort = abortOf(signal);
	let ended = false;
	let bytesRead = 0;
	try {
		for (let record = 1; ; record++) {
			const {done, value} = await Promise.race([failing(async () => iterator.next()), ...abort.promises]);
			if (done) {
				ended = true;
				return;
			}

			const text = textOf(value, record);
			bytesRead += Buffer.byteLength(text);
			if (text !== '') {
				yield {text, file: place, record, bytesRead};
			}
		}
	} finally {
		abort.forget();
		if (!ended) {
			// Not waited for when the run is cancelled: an iterator answers one call after the other, and may never answer the last one.
			const returned = Promise.resolve(iterator.return?.()).catch(() => undefined);
			await (signal?.aborted ? undefined : returned);
		}
	}
}

/** The first `most` texts, asked for once and held in memory, so that they can be read again and again. */
export const heldTexts = (texts: GivenTexts, most: number, control: Control): (() => AsyncIterable<TextItem>) => {
	let held: Promise<readonly Text[]> | undefined;
	return async function * () {
		held ??= firstTexts(texts, most, control);
		yield * await held;
	};
};

const firstTexts = async (texts: GivenTexts, most: number, control: Control): Promise<readonly Text[]> => {
	const first: Text[] = [];
	for await (const text of readGiven(texts, control)) {
		first.push(text);
		if (first.length >= most) {
			break;
		}
	}

	return first;
};

const iteratorOf = (texts: unknown): AsyncIterator<unknown> | Iterator<unknown> => {
	const iterable = typeof texts === 'object' && texts !== null ? texts as Partial<AsyncIterable<unknown> & Iterable<unknown>> : {};
	const iterator = iterable[Symbol.asyncIterator]?.() ?? iterable[Symbol.iterator]?.();
	if (iterator === undefined) {
		throw badArgument(place, 'the function to give an iterable of texts', texts);
	}

	return iterator;
};

const textOf = (item: unknown, record: number): string => {
	const text = typeof item === 'object' && item !== null ? (item as {readonly text?: unknown}).text : item;
	if (typeof text !== 'string') {
		throw new FlabError('ERR_BAD_DATA', `${place}, record ${record}: expected a string or an object with text, got ${describe(item)}`);
	}

	return text;
};

const failing = async <Result>(call: () => Promise<Result> | Result): Promise<Result> => {
	try {
		return await call();
	} catch (cause) {
		throw cause instanceof FlabError ? cause : new FlabError('ERR_BAD_DATA', `${place}: could not be read: ${cause instanceof Error ? cause.message : String(cause)}`, {cause});
	}
};

const abortOf = (signal: AbortSignal | undefined): {readonly promises: ReadonlyArray<Promise<never>>; readonly forget: () => void} => {
	if (!signal) {
		return {promises: [], forget() {}};
	}

	let fire: () => void;
	const promise = new Promise<never>((_, reject) => {
		fire = () => {
			reject(abortError(signal));
		};

		signal.addEventListener('abort', fire, {once: true});
	});
	// It may fire when nobody waits.
	promise.catch(() => undefined);
	return {
		promises: [promise],
		forget() {
			signal.removeEventListener('abort', fire);
		},
	};
};
