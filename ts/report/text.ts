import {formatBytes, formatChange, formatInteger, formatSmall} from './numbers.js';
import type {Report} from './report.js';
import {searchWork} from './search.js';
import {reportTable} from './table.js';

/** What a terminal shows at the end of `prune` and `apply`: the result table, where it was written, and how it was checked. */
export const reportToText = ({plan, output, verification, device}: Report, out: string): string => {
	const original = plan.stages[0];
	const last = plan.stages.at(-1);
	const work = plan.layers ? searchWork(plan.layers) : undefined;
	return [
		reportTable(plan.stages),
		...(work === undefined ? [] : [`search: ${plan.layers!.search}, ${work}`]),
		...(device === undefined || device.name === 'cpu' ? [] : [`computed on ${device.name}: ${device.reason}`]),
		`written to ${out}: ${formatInteger(Object.keys(output.files).length)} files, ${formatBytes(output.bytes)}; weights ${formatChange(original?.bytes, last?.bytes)}, parameters ${formatChange(original?.parameters, output.parameters)}`,
		verification
			? `verified: logits within ${formatSmall(verification.relativeError)} of the masked original (accepted: ${formatSmall(verification.tolerance)}) on ${formatInteger(verification.positions)} positions`
			: 'not verified',
		'',
	].join('\n');
};
