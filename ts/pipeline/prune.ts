import {resolvePruneOptions} from '../plan/options.js';
import type {PruneOptions} from '../plan/options.js';
import {checkControl} from '../progress.js';
import type {Control} from '../progress.js';
import type {Report} from '../report/report.js';
import {carryOut, withOutput} from './apply.js';
import {createClock} from './clock.js';
import {withHashes} from './hashes.js';
import {makePlan, withFiles} from './plan.js';
import {withReadableTexts} from './samples.js';
import {openSource} from './source.js';

/**
 * Makes a checkpoint smaller: searches what to cut (`plan`), carries it out and verifies it (`apply`).
 *
 * The same input gives the same bytes, on the same kind of processor.
 *
 * @throws FlabError: those of `plan` and `apply`
 */
export const prune = async (options: PruneOptions, control: Control = {}): Promise<Report> => {
	checkControl(control);
	const resolved = withReadableTexts(resolvePruneOptions(options), control);
	const {out, force, maxShardBytes, verify, ...planOptions} = resolved;
	const {model} = resolved;
	const clock = createClock();
	const source = await openSource(model, resolved);
	// Before the search: a path that can't be written to is not found out after an hour.
	const inputs = [resolved.corpus, resolved.calibration, resolved.evaluation].flatMap(texts => texts?.paths ?? []);
	return withOutput({out, force, model, inputs}, async output => withHashes(source, resolved.threads, control, async (hashes, control) => {
		const {plan, device} = await makePlan(source, planOptions, clock, control, verify);
		const complete = async () => withFiles(plan, await hashes.wait());
		const report = await carryOut({source, plan, complete, output, clock, maxShardBytes, verify, calibration: resolved.calibration}, control);
		return device ? {...report, device} : report;
	}));
};
