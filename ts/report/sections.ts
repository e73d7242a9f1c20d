import type {FfnPlan, LayerPlan, LayerScore, Plan, VocabularyPlan} from '../plan/schema.js';
import {formatBytes, formatChange, formatCount, formatDuration, formatInteger, formatShare, formatSmall, missing} from './numbers.js';
import type {Output, Reportable, Verification} from './report.js';
import {searchWork} from './search.js';
import {stageTable, type Table} from './table.js';

/** A part of a report, before it becomes Markdown or HTML: plain texts, not escaped. */
export type Section = {
	readonly title: string;
	/** Names and values. */
	readonly facts?: readonly (readonly [name: string, value: string])[];
	readonly notes?: readonly string[];
	readonly tables?: readonly Table[];
};

/** The title of a report. */
export const reportTitle = ({plan}: Reportable): string => `${plan.options.model}: pruned ${plan.source.family} checkpoint`;

/** Everything that a report says, in order: the result first, then what each choice was made on. */
export const reportSections = ({plan, output, verification, device, timings, peakBytes}: Reportable): readonly Section[] => [
	{title: 'Result', tables: [stageTable(plan.stages)]},
	...(plan.warnings.length > 0 ? [{title: 'Warnings', notes: plan.warnings}] : []),
	...(output ? [outputSection(plan, output)] : []),
	...(verification ? [verificationSection(verification)] : []),
	...(plan.vocabulary ? [vocabularySection(plan.vocabulary)] : []),
	...(plan.layers ? [layersSection(plan.layers)] : []),
	...(plan.ffn ? [ffnSection(plan.ffn)] : []),
	dataSection(plan),
	sourceSection(plan),
	...(device ? [{title: 'Device', facts: [[device.name, device.reason] as const]}] : []),
	...(timings ? [timingSection(timings, peakBytes ?? 0)] : []),
];

const outputSection = (plan: Plan, {files, bytes, parameters}: Output): Section => ({
	title: 'Output',
	facts: [
		['parameters', `${formatCount(parameters)} (${formatChange(plan.stages[0]?.parameters, parameters)})`],
		['bytes, all files', formatBytes(bytes)],
	],
	tables: [{head: ['file', 'bytes', 'SHA-256'], rows: Object.entries(files).map(([name, file]) => [name, formatInteger(file.bytes), file.sha256 ?? missing])}],
});

const verificationSection = ({relativeError, maxDifference, maxLogit, positions, sameTop, tolerance}: Verification): Section => ({
	title: 'Verification',
	notes: ['Logits of the written checkpoint against the original with the dropped layers skipped, the dropped neurons zeroed and the dropped tokens left out.'],
	facts: [
		['relative error', `${formatSmall(relativeError)} (accepted: ${formatSmall(tolerance)})`],
		['largest difference', `${formatSmall(maxDifference)} (largest logit: ${formatSmall(maxLogit)})`],
		['same most likely token', `${formatInteger(sameTop)} of ${formatInteger(positions)} positions`],
	],
});

const vocabularySection = ({before, after, selection, reasons, counts, proof}: VocabularyPlan): Section => ({
	title: 'Vocabulary',
	facts: [
		['tokens', `${formatInteger(before)} to ${formatInteger(after)} (${formatChange(before, after)})`],
		['selection', Object.entries(selection).map(([name, value]) => `${name} ${value}`).join(', ')],
	],
	tables: [
		{head: ['kept because of', 'tokens'], rows: Object.entries(reasons).map(([reason, count]) => [reason, formatInteger(count)])},
		{head: ['counted', 'value'], rows: plainRows(counts)},
		{head: ['proof', 'value'], rows: plainRows(proof)},
	].filter(({rows}) => rows.length > 0),
});

const scoreColumns = {
	score: 'score',
	divergence: 'KL nats',
	loss: 'loss nats/token',
	blockInfluence: 'block influence',
	blockInfluenceLast: 'block influence, last',
	angular: 'angular distance',
} as const satisfies Partial<Record<keyof LayerScore, string>>;

const layersSection = (layers: LayerPlan): Section => ({
	title: 'Layers',
	facts: [
		['layers', `${layers.before} to ${layers.after}`],
		['dropped, in this order', layers.dropped.join(', ') || 'none'],
		['search', [layers.search, layers.metric, layers.positions && `positions: ${layers.positions}`, searchWork(layers)].filter(Boolean).join(', ')],
	],
	tables: layers.steps.filter(({scores}) => scores.length > 0).map((step, place) => stepTable(step.scores, step.dropped, place)),
});

const stepTable = (scores: readonly LayerScore[], dropped: readonly number[], place: number): Table => {
	const columns = (Object.keys(scoreColumns) as (keyof typeof scoreColumns)[]).filter(name => scores.some(score => score[name] !== undefined));
	const races = scores.some(({texts}) => texts !== undefined);
	return {
		head: [`step ${place + 1}: layer`, ...columns.map(name => scoreColumns[name]), ...(races ? ['texts'] : [])],
		rows: scores.map(score => [
			`${score.layer}${dropped.includes(score.layer) ? ' (dropped)' : ''}`,
			...columns.map(name => formatSmall(score[name])),
			...(races ? [optionalInteger(score.texts)] : []),
		]),
	};
};

const ffnSection = ({before, after, strategy, positions, candidates, scoreSummary}: FfnPlan): Section => ({
	title: 'FFN',
	facts: [
		['neurons of a layer', `${formatInteger(before)} to ${formatInteger(after)} (${formatChange(before, after)})`],
		['strategy', strategy],
		...(positions ? [['positions', positions] as const] : []),
	],
	tables: [
		{head: ['strategy tried', 'KL nats'], rows: candidates.map(candidate => [candidate.strategy, formatSmall(candidate.divergence)])},
		{
			head: ['layer', 'smallest score kept', 'largest dropped', 'mean kept', 'mean dropped', 'share of scores kept'],
			rows: scoreSummary.map(summary => [
				String(summary.layer), formatSmall(summary.minKept), formatSmall(summary.maxDropped), formatSmall(summary.meanKept), formatSmall(summary.meanDropped), formatShare(summary.shareKept),
			]),
		},
	].filter(({rows}) => rows.length > 0),
});

const dataSection = ({data}: Plan): Section => ({
	title: 'Data',
	...(Object.values(data).some(Boolean)
		? {
			tables: [{
				head: ['texts for', 'files', 'texts', 'bytes', 'tokens', 'SHA-256'],
				rows: Object.entries(data).flatMap(([name, texts]) => texts === undefined ? [] : [[
					name, optionalInteger('files' in texts ? texts.files : undefined), formatInteger(texts.texts), optionalInteger(texts.bytes), formatInteger(texts.tokens), texts.sha256,
				]]),
			}],
		}
		: {notes: ['No texts were used.']}),
});

const sourceSection = ({source, generator}: Plan): Section => ({
	title: 'Source',
	facts: [
		['family', source.family],
		...Object.entries(source.config).map(([name, value]) => [name, String(value)] as const),
		['planned by', `${generator.name} ${generator.version}`],
	],
	tables: [{head: ['file', 'bytes', 'SHA-256'], rows: Object.entries(source.files).map(([name, file]) => [name, formatInteger(file.bytes), file.sha256])}],
});

const timingSection = (timings: NonNullable<Reportable['timings']>, peakBytes: number): Section => ({
	title: 'Time and memory',
	facts: peakBytes > 0 ? [['largest memory', formatBytes(peakBytes)]] : [],
	tables: [{head: ['phase', 'time'], rows: timings.map(({phase, durationMs}) => [phase, formatDuration(durationMs)])}],
});

const optionalInteger = (value: number | undefined): string => value === undefined ? missing : formatInteger(value);

const plainRows = (record: Readonly<Record<string, number | string | boolean>>): readonly (readonly string[])[] =>
	Object.entries(record).map(([name, value]) => [name, typeof value === 'number' ? (Number.isInteger(value) ? formatInteger(value) : formatSmall(value)) : String(value)]);
