import {readFile, readdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {planOutput} from '../checkpoint/output.js';
import {prepareOutput} from '../checkpoint/publish.js';
import type {PendingOutput} from '../checkpoint/publish.js';
import {fileError, throwIfAborted} from '../errors.js';
import {checkPlan} from '../plan/belonging.js';
import {resolveApplyOptions} from '../plan/options.js';
import type {ApplyOptions, ResolvedApplyOptions, ResolvedSampleSource} from '../plan/options.js';
import {checkedPlan, keepLists, parsePlan} from '../plan/plan.js';
import type {Plan, PlanSource} from '../plan/schema.js';
import {checkControl} from '../progress.js';
import type {Control} from '../progress.js';
import type {Output, Report} from '../report/report.js';
import {createClock, peakBytes} from './clock.js';
import type {Clock} from './clock.js';
import {withHashes} from './hashes.js';
import {checkMemory} from './memory.js';
import {withReadableTexts} from './samples.js';
import {describeSource, openSource} from './source.js';
import type {Source} from './source.js';
import {verifyOutput} from './verify.js';
import {writeOthers, writeWeights} from './write.js';

/**
 * Carries out a plan: writes the smaller checkpoint, reopens and verifies it, and puts it at `out`. Until then nothing is
 * there, and nothing stays of a run that failed.
 *
 * @throws FlabError: ERR_BAD_PLAN (malformed, or made for another checkpoint), ERR_OUTPUT_EXISTS, ERR_WRITE (disk full,
 * read-only), ERR_VERIFY, and those of reading a checkpoint
 */
export const apply = async (options: ApplyOptions, control: Control = {}): Promise<Report> => {
	checkControl(control);
	const resolved = withReadableTexts(resolveApplyOptions(options), control);
	const clock = createClock();
	const plan = await readPlan(resolved.plan);
	const source = await openSource(resolved.model, resolved);
	const {out, force, model, calibration, verify, threads} = resolved;
	const inputs = [...(typeof resolved.plan === 'string' ? [resolved.plan] : []), ...calibration?.paths ?? []];
	return withOutput({out, force, model, inputs}, async output => withHashes(source, resolved.threads, control, async (hashes, control) => {
		if (verify) {
			const tokenizerBytes = (calibration && hashes.sizes['tokenizer.json']) ?? 0;
			checkMemory(source, resolved.maxMemory, {model: source.model('f32'), layers: 0, views: 0, compares: true, tokenizerBytes, counted: false, threads});
		}

		const described = describeSource(source);
		// What another checkpoint mostly differs in is seen before anything is written; the hashes, before anything is published.
		checkPlan(plan, {...described, files: assumedFiles(plan, hashes.sizes)});
		const complete = async (): Promise<Plan> => {
			checkPlan(plan, {...described, files: await hashes.wait()});
			return plan;
		};

		return carryOut({...resolved, source, plan, complete, output, clock}, control);
	}));
};

// Files of these sizes, as long as their content is not known: that which the plan expects.
const assumedFiles = ({source: {files}}: Plan, sizes: Readonly<Record<string, number>>): PlanSource['files'] =>
	Object.fromEntries(Object.entries(sizes).map(([name, bytes]) => [name, {bytes, sha256: files[name]?.sha256 ?? ''}]));

/** What carrying out a plan takes. */
export type CarryOut = {
	readonly source: Source;
	/** Says what is written; its files may be missing. */
	readonly plan: Plan;
	/** Waits for the plan that the output gets. @throws ERR_BAD_PLAN if it is for another checkpoint */
	readonly complete: () => Promise<Plan>;
	readonly output: PendingOutput;
	readonly clock: Clock;
	readonly maxShardBytes: number;
	readonly verify: boolean;
	/** Texts to verify on; without them, tokens at random. */
	readonly calibration?: ResolvedSampleSource;
};

/** Writes, verifies and publishes. */
export const carryOut = async ({source, plan: chosen, complete, output, clock, maxShardBytes, verify, calibration}: CarryOut, control: Control): Promise<Report> => {
	const index = await clock.time('write', async () => writeWeights(source, chosen, output.folder, maxShardBytes, control));
	const plan = await clock.time('hash', complete);
	const warnings = await clock.time('write', async () => writeOthers(source, plan, output.folder, index, control));
	const verification = verify ? await clock.time('verify', async () => verifyOutput(source, plan, output.folder, calibration, control)) : null;
	const written = await describeOutput(source, plan, output.folder, maxShardBytes);
	throwIfAborted(control.signal);
	await clock.time('publish', async () => output.publish());
	return {
		schemaVersion: 1,
		plan: {...plan, warnings: [...plan.warnings, ...warnings]},
		output: written,
		verification,
		timings: clock.timings,
		peakBytes: peakBytes(),
	};
};

/** Where an output goes and what it must not harm. */
export type OutputPlace = {
	readonly out: string;
	readonly force: boolean;
	readonly model: string;
	/** Other files and folders that the run reads. */
	readonly inputs: readonly string[];
};

/** Makes the output's temporary folder, and removes it whatever happens unless the work published it. */
export const withOutput = async <Result>({out, ...options}: OutputPlace, work: (output: PendingOutput) => Promise<Result>): Promise<Result> => {
	const output = await prepareOutput(out, options);
	try {
		return await work(output);
	} finally {
		await output.discard();
	}
};

const readPlan = async (plan: ResolvedApplyOptions['plan']): Promise<Plan> => {
	if (typeof plan !== 'string') {
		return checkedPlan(plan);
	}

	const text = await readFile(plan, 'utf8').catch((cause: unknown) => {
		throw fileError('read', plan, cause);
	});
	return parsePlan(text, plan);
};

const describeOutput = async ({checkpoint, layout}: Source, plan: Plan, folder: string, maxShardBytes: number): Promise<Output> => {
	const names = (await readdir(folder, {recursive: true})).sort();
	const found = await Promise.all(names.map(async name => ({name, status: await stat(join(folder, name))})));
	const files = Object.fromEntries(found.filter(({status}) => status.isFile()).map(({name, status}) => [name, {bytes: status.size}]));
	const {shards} = planOutput({checkpoint, layout, keep: keepLists(plan), maxShardBytes});
	return {
		files,
		bytes: Object.values(files).reduce((sum, {bytes}) => sum + bytes, 0),
		parameters: shards.flatMap(({tensors}) => tensors).reduce((sum, {shape}) => sum + shape.reduce((product, size) => product * size, 1), 0),
	};
};
