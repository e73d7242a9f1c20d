import {closestMatch} from 'leven';
import type {z} from 'zod';
import {describe} from '../errors.js';

/** One thing that is wrong with a value: where, expected what, got what. */
export type Complaint = {
	/** Keys joined by dots, places in arrays as numbers; '' is the whole value. */
	readonly path: string;
	readonly expected: string;
	readonly got: string;
};

/** A complaint as a line of a message. */
export const complaintLine = ({path, expected, got}: Complaint): string => `${path === '' ? 'options' : path}: expected ${expected}, got ${got}`;

/** Complaints of a zod error, at most one a path. The schemas' messages are what was expected; `value` is what was parsed. */
export const complaintsOf = (error: z.ZodError, value: unknown): readonly Complaint[] => {
	const byPath = new Map<string, Complaint>();
	for (const complaint of error.issues.flatMap(issue => issueComplaints(issue, [], value))) {
		if (!byPath.has(complaint.path)) {
			byPath.set(complaint.path, complaint);
		}
	}

	return [...byPath.values()];
};

type Issue = z.core.$ZodIssue;

const issueComplaints = (issue: Issue, parents: readonly PropertyKey[], root: unknown): readonly Complaint[] => {
	const keys = [...parents, ...issue.path];
	if (issue.code === 'unrecognized_keys') {
		return issue.keys.map(key => ({path: pathText([...keys, key]), expected: `no such name${meantName(key, issue.message.split(' '))}`, got: describe(valueAt(root, [...keys, key]))}));
	}

	const branch = issue.code === 'invalid_union' && isData(valueAt(root, keys)) ? meantBranch(issue.errors) : undefined;
	const got = issue.code === 'custom' ? issue.params?.['got'] as string | undefined : undefined;
	return branch?.flatMap(inner => issueComplaints(inner, keys, root))
		?? [{path: pathText(keys), expected: issue.message, got: got ?? describe(valueAt(root, keys))}];
};

// One slip of the keyboard for every three letters, and any of the shift key.
const meantName = (key: string, names: readonly string[]): string => {
	const lower = names.map(name => name.toLowerCase());
	const closest = closestMatch(key.toLowerCase(), lower, {maxDistance: Math.max(1, Math.floor(key.length / 3))});
	return closest === undefined ? '' : ` (did you mean ${names[lower.indexOf(closest)]!}?)`;
};

// Of the forms that a value may have, the one that was meant is the one whose outer type fits; if that is not clear, the union's own words serve.
const meantBranch = (branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined => {
	const fitting = branches.filter(issues => !issues.some(({path, code}) => path.length === 0 && (code === 'invalid_type' || code === 'invalid_value' || code === 'custom')));
	return fitting.length === 1 ? fitting[0] : undefined;
};

// A function or an instance of some class is not a form with a wrong member.
const isData = (value: unknown): boolean => typeof value !== 'function'
	&& (typeof value !== 'object' || value === null || Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value)));

const pathText = (keys: readonly PropertyKey[]): string => keys.map(String).join('.');

const valueAt = (root: unknown, keys: readonly PropertyKey[]): unknown =>
	keys.reduce<unknown>((value, key) => typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined, root);
