import {createHash} from 'node:crypto';
import {closeSync, openSync, readSync} from 'node:fs';
import {fileError} from '../errors.js';
import {serve} from '../workers/serve.js';

const chunkBytes = 1 << 20;
const bytesBetweenNews = 1 << 24;

// Synchronously, with one buffer: nothing else happens on this thread, and what is read is still in the cache when it is hashed.
serve(() => {
	const buffer = Buffer.allocUnsafeSlow(chunkBytes);
	return (path: string, tell: (bytes: number) => void): string => {
		const hash = createHash('sha256');
		let untold = 0;
		readAll(path, buffer, bytes => {
			hash.update(bytes);
			untold += bytes.length;
			if (untold >= bytesBetweenNews) {
				tell(untold);
				untold = 0;
			}
		});
		tell(untold);
		return hash.digest('hex');
	};
});

const readAll = (path: string, buffer: Buffer, use: (bytes: Buffer) => void): void => {
	let file: number | undefined;
	try {
		file = openSync(path, 'r');
		for (let bytes = readSync(file, buffer); bytes > 0; bytes = readSync(file, buffer)) {
			use(buffer.subarray(0, bytes));
		}
	} catch (cause) {
		throw fileError('read', path, cause);
	} finally {
		if (file !== undefined) {
			closeSync(file);
		}
	}
};
