import {FlabError, describe} from '../errors.js';
import type {Plan, PlanSource} from './schema.js';

/**
 * Accepts a plan only for the checkpoint that it was made for: same family, same sizes, same files.
 *
 * @param source description of the checkpoint at hand, made as the plan's own
 * @throws ERR_BAD_PLAN that names every size and file that differs
 */
export const checkPlan = (plan: Pick<Plan, 'source'>, source: PlanSource): void => {
	const differences = [
		...(plan.source.family === source.family ? [] : [`family: expected ${plan.source.family}, got ${source.family}`]),
		...configDifferences(plan.source.config, source.config),
		...fileDifferences(plan.source.files, source.files),
	];
	if (differences.length > 0) {
		throw new FlabError('ERR_BAD_PLAN', `The plan was made for another checkpoint: ${differences.join('\n')}`, {
			hint: 'Name the checkpoint that the plan was made for, or make a plan for this one with flab-pruner plan.',
		});
	}
};

const configDifferences = (planned: PlanSource['config'], found: PlanSource['config']): readonly string[] => {
	const names = [...new Set([...Object.keys(planned), ...Object.keys(found)])] as (keyof PlanSource['config'])[];
	return names
		.filter(name => JSON.stringify(planned[name]) !== JSON.stringify(found[name]))
		.map(name => `${name}: expected ${describe(planned[name])}, got ${describe(found[name])}`);
};

const fileDifferences = (planned: PlanSource['files'], found: PlanSource['files']): readonly string[] =>
	[...new Set([...Object.keys(planned), ...Object.keys(found)])].sort().flatMap(name => {
		const before = planned[name];
		const now = found[name];
		if (before === undefined || now === undefined) {
			return [`${name}: ${before === undefined ? 'expected no such file, got one' : `expected ${before.bytes} bytes, got no such file`}`];
		}

		if (before.bytes !== now.bytes) {
			return [`${name}: expected ${before.bytes} bytes, got ${now.bytes}`];
		}

		return before.sha256 === now.sha256 ? [] : [`${name}: expected SHA-256 ${before.sha256}, got ${now.sha256}`];
	});
