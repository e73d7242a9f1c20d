import type {Stage} from '../plan/schema.js';
import {formatBytes, formatChange, formatCount, formatInteger, formatLoss, formatSmall} from './numbers.js';

/** A table of texts: every row has as many cells as the head. */
export type Table = {readonly head: readonly string[]; readonly rows: readonly (readonly string[])[]};

/** A table in columns of spaces: the first column begins at the left, all others end at the right. Ends in a line break. */
export const tableToText = ({head, rows}: Table): string => {
	const widths = head.map((name, column) => Math.max(...[head, ...rows].map(row => row[column]!.length), name.length));
	const line = (cells: readonly string[]): string =>
		cells.map((cell, column) => column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)).join('  ').trimEnd();
	return `${[line(head), widths.map(width => '-'.repeat(width)).join('  '), ...rows.map(row => line(row))].join('\n')}\n`;
};

/** The result table: sizes and measurements of each stage; `change` is that of the loss against the original. */
export const stageTable = (stages: readonly Stage[]): Table => ({
	head: ['stage', 'vocabulary', 'layers', 'FFN width', 'parameters', 'bytes', 'KL nats', 'loss nats/byte', 'change'],
	rows: stages.map(stage => [
		stageNames[stage.name],
		formatInteger(stage.vocabulary),
		formatInteger(stage.layers),
		formatInteger(stage.ffnWidth),
		formatCount(stage.parameters),
		formatBytes(stage.bytes),
		formatSmall(stage.divergence),
		formatLoss(stage.lossPerByte),
		stage.name === 'original' ? formatChange(undefined, undefined) : formatChange(stages[0]?.lossPerByte, stage.lossPerByte),
	]),
});

/** The result table as plain text for a terminal. */
export const reportTable = (stages: readonly Stage[]): string => tableToText(stageTable(stages));

const stageNames: Readonly<Record<Stage['name'], string>> = {original: 'original', vocabulary: '+ vocabulary', layers: '+ layers', ffn: '+ FFN'};
