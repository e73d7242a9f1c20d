import {UsageError} from './flags.mjs';

/** Whether a case is what others' speeds are a share of: this machine's limits, or its GPU's. */
export const isLimit = ({name}) => /^(?:gpu\/)?limit\//.test(name);

const isOfGpu = ({name}) => name.startsWith('gpu/');

/**
 * The cases whose names contain one of the words, all if there are none; those that others' speeds are a share of come first
 * in any case, a GPU's where there is a case of it.
 *
 * @throws UsageError if a word is in no case's name
 */
export const selectCases = (cases, words) => {
	const unknown = words.filter(word => !cases.some(({name}) => name.includes(word)));
	if (unknown.length > 0) {
		throw new UsageError(`No case has ${unknown.map(word => `"${word}"`).join(' or ')} in its name. npm run bench -- --list prints the names.`);
	}

	const wanted = cases.filter(({name}) => words.length === 0 || words.some(word => name.includes(word)));
	return [
		...cases.filter(one => isLimit(one) && (!isOfGpu(one) || wanted.some(isOfGpu))),
		...wanted.filter(one => !isLimit(one)),
	];
};
