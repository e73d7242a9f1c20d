import {toJson} from '../plan/json.js';
import {applyOptionsSchema, inspectOptionsSchema, planOptionsSchema, pruneOptionsSchema} from '../plan/optionSchemas.js';
import {planToJson} from '../plan/plan.js';
import type {Control} from '../progress.js';
import {inspectionToText} from '../report/inspection.js';
import {reportToJson, type Report} from '../report/report.js';
import {reportTable} from '../report/table.js';
import {reportToText} from '../report/text.js';
import {checkedOptions, inOwnWords, type Origin} from './checked.js';
import type {Context} from './context.js';
import {checkFolderOf, refuseExisting, reportComplaints, writeReport, writeText} from './files.js';
import type {Flags} from './flags.js';
import {plain, tellWarnings} from './messages.js';
import {applyOptions, inspectOptions, planOptions, pruneOptions} from './options.js';
import {createProgress} from './progress.js';
import {readRecipe} from './recipe.js';

/** `flab-pruner prune`: checks everything that can be checked beforehand, prunes, tells. */
export const prune = async (model: string | undefined, flags: Flags, context: Context): Promise<void> => {
	const origin = await originOf('prune', flags, recipe => pruneOptions(model, flags, recipe));
	const options = checkedOptions(pruneOptionsSchema, origin);
	await checkFolderOf(flags.report, options.out);
	const {prune} = await context.pipeline();
	await tellReport(await withProgress(context, origin, async control => prune(options, control)), options.out, flags, context);
};

/** `flab-pruner apply`. */
export const apply = async (model: string | undefined, flags: Flags, context: Context): Promise<void> => {
	const origin = await originOf('apply', flags, recipe => applyOptions(model, flags, recipe));
	const options = checkedOptions(applyOptionsSchema, origin);
	await checkFolderOf(flags.report, options.out);
	const {apply} = await context.pipeline();
	await tellReport(await withProgress(context, origin, async control => apply(options, control)), options.out, flags, context);
};

/** `flab-pruner plan`: the plan goes to a file, or to stdout. */
export const plan = async (model: string | undefined, flags: Flags, context: Context): Promise<void> => {
	const origin = await originOf('plan', flags, recipe => planOptions(model, flags, recipe));
	const options = checkedOptions(planOptionsSchema, origin);
	const out = flags.out === '-' ? undefined : flags.out;
	if (out !== undefined) {
		await refuseExisting(out, flags.force === true);
	}

	await checkFolderOf(out);
	await checkFolderOf(flags.report);
	const {plan} = await context.pipeline();
	const made = await withProgress(context, origin, async control => plan(options, control));
	tellWarnings(made.warnings, context.stderr);
	if (flags.report !== undefined) {
		await writeReport({plan: made}, flags.report);
	}

	const json = planToJson(made);
	if (out !== undefined) {
		await writeText(out, json);
	}

	if (out === undefined || flags.json) {
		context.stdout.write(json);
	}

	if (!flags.json && !flags.quiet) {
		(out === undefined ? context.stderr : context.stdout).write(plain(`${reportTable(made.stages)}${out === undefined ? '' : `\nplan written to ${out}\n`}`));
	}
};

/** `flab-pruner inspect`. */
export const inspect = async (model: string | undefined, flags: Flags, context: Context): Promise<void> => {
	const origin = await originOf('inspect', flags, recipe => inspectOptions(model, recipe));
	const options = checkedOptions(inspectOptionsSchema, origin);
	const {inspect} = await context.pipeline();
	const inspection = await inspect(options, {signal: context.signal}).catch((error: unknown) => {
		throw inOwnWords(error, origin);
	});
	context.stdout.write(flags.json ? toJson(inspection) : plain(inspectionToText(inspection)));
};

const originOf = async (command: string, flags: Flags, make: Origin['make']): Promise<Origin> =>
	({command, flags, make, recipe: await readRecipe(flags.recipe), others: reportComplaints(flags.report)});

const tellReport = async (report: Report, out: string, flags: Flags, {stdout, stderr}: Context): Promise<void> => {
	tellWarnings(report.plan.warnings, stderr);
	if (flags.json) {
		stdout.write(reportToJson(report));
	} else if (!flags.quiet) {
		stdout.write(plain(reportToText(report, out)));
	}

	if (flags.report !== undefined) {
		await writeReport(report, flags.report);
	}
};

const withProgress = async <Result>({stderr, signal}: Context, origin: Origin, work: (control: Control) => Promise<Result>): Promise<Result> => {
	const {onProgress, stop} = await createProgress(stderr, !origin.flags.quiet && !origin.flags.json, signal);
	try {
		return await work({signal, onProgress});
	} catch (error) {
		throw inOwnWords(error, origin);
	} finally {
		stop();
	}
};
