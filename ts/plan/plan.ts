import {basename, resolve} from 'node:path';
import {FlabError, badArgument, describe} from '../errors.js';
import {complaintLine, complaintsOf, type Complaint} from './complaints.js';
import {contradictions} from './consistency.js';
import {toJson} from './json.js';
import type {ResolvedPlanOptions, ResolvedPruneOptions, ResolvedTextSource} from './options.js';
import {decodeRanges} from './ranges.js';
import {knownSchemaVersions, planSchema, type Plan} from './schema.js';

/** A plan as the text of its file: keys in the schema's order, names of files and counts sorted, so that equal plans give equal bytes. @throws ERR_BAD_PLAN if the plan is not one */
export const planToJson = (plan: Plan): string => {
	checkVersion(plan, 'plan');
	const result = planSchema.safeParse(plan);
	if (!result.success) {
		throw new FlabError('ERR_BAD_PLAN', `plan: ${lines(complaintsOf(result.error, plan))}`, {hint: remake});
	}

	return toJson(withSortedRecords(result.data));
};

/**
 * A plan from the text of its file.
 *
 * @param file for messages
 * @throws ERR_BAD_PLAN with a line for everything that is wrong, ERR_BAD_ARGUMENT
 */
export const parsePlan = (text: string, file = 'plan'): Plan => {
	if (typeof text !== 'string') {
		throw badArgument('text', 'the text of a plan', text, 'Read its file as text: await readFile(file, \'utf8\').');
	}

	try {
		return checkedPlan(JSON.parse(text.replace(/^\uFEFF/, '')), file);
	} catch (error) {
		throw error instanceof FlabError ? error : new FlabError('ERR_BAD_PLAN', `${file}: expected JSON, got ${(error as Error).message}`, {file, hint: remake, cause: error});
	}
};

/** A plan from any value. @throws ERR_BAD_PLAN as `parsePlan` */
export const checkedPlan = (value: unknown, file = 'plan'): Plan => {
	checkVersion(value, file);
	const result = planSchema.safeParse(value);
	const complaints = result.success ? contradictions(result.data) : complaintsOf(result.error, value);
	if (complaints.length > 0 || !result.success) {
		throw new FlabError('ERR_BAD_PLAN', `${file}: ${lines(complaints)}`, {file, hint: remake});
	}

	return result.data;
};

/** The keep-lists of a plan, ascending; absent where everything stays. `neurons` has one list for each layer that stays. */
export type KeepLists = {readonly tokens?: Uint32Array; readonly layers?: Uint32Array; readonly neurons?: readonly Uint32Array[]};

/** The keep-lists of a checked plan. */
export const keepLists = ({vocabulary, layers, ffn}: Pick<Plan, 'vocabulary' | 'layers' | 'ffn'>): KeepLists => ({
	...(vocabulary && {tokens: decodeRanges(vocabulary.keep, vocabulary.before, 'vocabulary.keep')}),
	...(layers && {layers: Uint32Array.from(layers.keep)}),
	...(ffn && {neurons: ffn.keep.map((ranges, place) => decodeRanges(ranges, ffn.before, `ffn.keep.${place}`))}),
});

/** The options as a plan holds them: names of files without their folders, and nothing that does not change the outcome. */
export const portableOptions = (options: ResolvedPlanOptions | ResolvedPruneOptions): Plan['options'] => {
	const {model, corpus, calibration, evaluation, vocabulary, layers, ffn, compute} = options;
	return {
		model: baseName(model),
		...(corpus && {corpus: noted(corpus)}),
		...(calibration && {calibration: noted(calibration)}),
		...(evaluation && {evaluation: noted(evaluation)}),
		vocabulary,
		layers,
		ffn,
		compute,
	};
};

const noted = <Source extends ResolvedTextSource>({paths, texts, ...others}: Source): Omit<Source, 'paths' | 'texts'> & ({texts: 'given'} | {paths: string[]}) =>
	texts === undefined ? {...others, paths: paths.map(baseName)} : {...others, texts: 'given'};

// Resolved first: '.' is the folder's name too. The root of the file system has none.
const baseName = (path: string): string => basename(resolve(path)) || path;

const remake = 'Make the plan again with flab-pruner plan.';

const checkVersion = (value: unknown, file: string): void => {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) {
		throw new FlabError('ERR_BAD_PLAN', `${file}: expected a plan, got ${describe(value)}`, {file, hint: remake});
	}

	const {schemaVersion} = value as {readonly schemaVersion?: unknown};
	if (!knownSchemaVersions.includes(schemaVersion as number)) {
		throw new FlabError('ERR_BAD_PLAN', `${file}: schemaVersion: expected ${knownSchemaVersions.join(' or ')}, got ${describe(schemaVersion)}`, {
			file,
			hint: `This release of flab-pruner knows plans of version ${knownSchemaVersions.join(', ')}: make the plan again, or use the release that made it.`,
		});
	}
};

const shownComplaints = 20;

const lines = (complaints: readonly Complaint[]): string => {
	const shown = complaints.slice(0, shownComplaints).map(complaint => complaintLine({...complaint, path: complaint.path || 'plan'}));
	return [...shown, ...(complaints.length > shownComplaints ? [`and ${complaints.length - shownComplaints} more`] : [])].join('\n');
};

const withSortedRecords = (plan: Plan): Plan => ({
	...plan,
	source: {...plan.source, files: sorted(plan.source.files)},
	vocabulary: plan.vocabulary && {
		...plan.vocabulary,
		reasons: sorted(plan.vocabulary.reasons),
		counts: sorted(plan.vocabulary.counts),
		proof: sorted(plan.vocabulary.proof),
	},
});

// By code units, not by the language of the machine.
const sorted = <Value>(record: Readonly<Record<string, Value>>): Record<string, Value> =>
	Object.fromEntries(Object.entries(record).sort(([a], [b]) => a < b ? -1 : 1));
