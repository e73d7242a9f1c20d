import {createHash} from 'node:crypto';
import {FlabError} from '../errors.js';
import type {Text} from './texts.js';

/** The same texts; `hash` is that of all of them when they have been read. */
export async function * hashed(texts: AsyncIterable<Text>, hash: {update(text: string): unknown}): AsyncGenerator<Text> {
	for await (const text of texts) {
		hash.update(text.text);
		hash.update('\0');
		yield text;
	}
}

/** Texts that had this SHA-256 when they were read before. @throws `ERR_BAD_DATA` at their end if they have another */
export async function * sameTexts(texts: AsyncIterable<Text>, sha256: string): AsyncGenerator<Text> {
	const hash = createHash('sha256');
	yield * hashed(texts, hash);
	if (hash.digest('hex') !== sha256) {
		throw new FlabError('ERR_BAD_DATA', 'corpus: expected the same texts each time that they are asked for, got others', {
			hint: 'The corpus is counted, then read again for the proof: give the same texts in the same order, or write them to a file first.',
		});
	}
}
