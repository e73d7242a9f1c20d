import type {Reportable} from './report.js';
import {reportSections, reportTitle, type Section} from './sections.js';
import type {Table} from './table.js';

/** A report as Markdown (tables as GitHub reads them). */
export const reportToMarkdown = (report: Reportable): string =>
	`${[`# ${escape(reportTitle(report))}`, ...reportSections(report).flatMap(sectionToMarkdown)].join('\n\n')}\n`;

const sectionToMarkdown = ({title, facts = [], notes = [], tables = []}: Section): readonly string[] => [
	`## ${escape(title)}`,
	...(notes.length > 0 ? [notes.map(note => `- ${escape(note)}`).join('\n')] : []),
	...(facts.length > 0 ? [facts.map(([name, value]) => `- ${escape(name)}: ${escape(value)}`).join('\n')] : []),
	...tables.map(tableToMarkdown),
];

const tableToMarkdown = ({head, rows}: Table): string =>
	[head.map(escape), head.map((_, column) => column === 0 ? '---' : '---:'), ...rows.map(row => row.map(escape))].map(cells => `| ${cells.join(' | ')} |`).join('\n');

// Names of files and texts of warnings come from outside: none of them may become markup, or end a line or a cell.
const escape = (text: string): string => text.replaceAll(/[\r\n]+/g, ' ').replaceAll(/[\\`*_[\]<>|#&~]/g, String.raw`\$&`);
