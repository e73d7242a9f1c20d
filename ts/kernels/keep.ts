import {Words, badArgument, describe} from '../errors.js';

/** Indices to keep: ascending, below `limit`, which is the number of `items`. @throws ERR_BAD_ARGUMENT */
export const keepIndices = (keep: Uint32Array | readonly number[], limit: number, items: 'columns' | 'rows'): Uint32Array => {
	if (!(keep instanceof Uint32Array || Array.isArray(keep))) {
		throw badArgument('keep', 'a Uint32Array or an array of indices', keep, `Name the ${items} that stay: [0, 2].`);
	}

	const expected = limit === 0 ? `no index, as there are no ${items}` : `ascending indices from 0 to ${limit - 1}`;
	for (let place = 0; place < keep.length; place++) {
		const index = keep[place] as unknown;
		if (typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index >= limit) {
			throw badArgument('keep', expected, at(index, place), `The matrix has ${limit} ${items}.`);
		}

		if (place > 0 && index <= keep[place - 1]!) {
			throw badArgument('keep', expected, at(index, place), 'Sort the indices and leave out doubles.');
		}
	}

	return keep instanceof Uint32Array ? keep : Uint32Array.from(keep as readonly number[]);
};

const at = (index: unknown, place: number): Words => new Words(`${describe(index)} at place ${place}`);
