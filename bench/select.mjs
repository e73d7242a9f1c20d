import {UsageError} from './flags.mjs';

/**
 * The cases whose names contain one of the words, all if there are none; those that others' speeds are a share of come first
 * in any case.
 *
 * @throws UsageError if a word is in no case's name
 */
export const selectCases = (cases, words) => {
	const isLimit = ({name}) => name.startsWith('limit/');
	const unknown = words.filter(word => !cases.some(({name}) => name.includes(word)));
	if (unknown.length > 0) {
		throw new UsageError(`No case has ${unknown.map(word => `"${word}"`).join(' or ')} in its name. npm run bench -- --list prints the names.`);
	}

	return [
		...cases.filter(one => isLimit(one)),
		...cases.filter(one => !isLimit(one) && (words.length === 0 || words.some(word => one.name.includes(word)))),
	];
};
