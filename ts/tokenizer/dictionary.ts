/** Different pieces of texts, numbered as they come, in a few bytes each: a corpus has many pieces, and few different ones. */
export type Dictionary = {
	/** Number of the piece text[begin .. end), whose hash is `hash` (see `hashUnit`); a new one is put in. */
	readonly numberOf: (text: string, begin: number, end: number, hash: number) => number;
	readonly size: () => number;
	readonly clear: () => void;
};

/** Hash of no character. */
export const hashSeed = 0x811C_9DC5 | 0;

/** Hash with one more code unit (FNV-1a, on units instead of bytes). */
export const hashUnit = (hash: number, unit: number): number => Math.imul(hash ^ unit, 0x0100_0193);

/** An empty dictionary. */
export const createDictionary = (): Dictionary => {
	let size = 0;
	// Piece i is units[starts[i] .. starts[i + 1]).
	let units = new Uint16Array(1 << 16);
	let starts = new Uint32Array(1 << 12);
	let hashes = new Int32Array(1 << 12);
	// Open addressing, at most half full: number of the piece + 1, or 0.
	let slots = new Int32Array(1 << 13);

	const isPiece = (number: number, text: string, begin: number, end: number): boolean => {
		const start = starts[number]!;
		if (starts[number + 1]! - start !== end - begin) {
			return false;
		}

		for (let at = begin; at < end; at++) {
			if (units[start + at - begin] !== text.charCodeAt(at)) {
				return false;
			}
		}

		return true;
	};

	const put = (text: string, begin: number, end: number, hash: number): number => {
		const start = starts[size]!;
		units = withRoom(units, start + end - begin);
		for (let at = begin; at < end; at++) {
			units[start + at - begin] = text.charCodeAt(at);
		}

		starts = withRoom(starts, size + 2);
		hashes = withRoom(hashes, size + 1);
		starts[size + 1] = start + end - begin;
		hashes[size] = hash;
		return size++;
	};

	const grow = (): void => {
		slots = new Int32Array(slots.length * 2);
		for (let number = 0; number < size; number++) {
			let slot = firstSlot(hashes[number]!, slots.length);
			while (slots[slot] !== 0) {
				slot = (slot + 1) & (slots.length - 1);
			}

			slots[slot] = number + 1;
		}
	};

	return {
		numberOf(text, begin, end, hash) {
			let slot = firstSlot(hash, slots.length);
			for (let found = slots[slot]!; found !== 0; found = slots[slot]!) {
				if (hashes[found - 1] === hash && isPiece(found - 1, text, begin, end)) {
					return found - 1;
				}

				slot = (slot + 1) & (slots.length - 1);
			}

			const number = put(text, begin, end, hash);
			slots[slot] = size;
			if (size * 2 > slots.length) {
				grow();
			}

			return number;
		},
		size: () => size,
		clear() {
			size = 0;
			slots.fill(0);
		},
	};
};

// The low bits of an FNV hash depend on few of the units' bits: the high ones are mixed in.
const firstSlot = (hash: number, length: number): number => (hash ^ (hash >>> 15)) & (length - 1);

/** The array itself, or one twice as long or longer with the same beginning. */
export const withRoom = <Items extends Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array>(items: Items, length: number): Items => {
	if (items.length >= length) {
		return items;
	}

	const longer = new (items.constructor as new (length: number) => Items)(Math.max(length, items.length * 2));
	longer.set(items);
	return longer;
};
