import type {Reportable} from './report.js';
import {reportSections, reportTitle, type Section} from './sections.js';
import type {Table} from './table.js';

/** A report as one HTML page without scripts and without anything loaded from elsewhere. */
export const reportToHtml = (report: Reportable): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escape(reportTitle(report))}</title>
<style>${style}</style>
</head>
<body>
<h1>${escape(reportTitle(report))}</h1>
${reportSections(report).map(sectionToHtml).join('\n')}
</body>
</html>
`;

const style = 'body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222;background:#fff}'
	+ 'table{border-collapse:collapse;margin:1em 0;display:block;overflow-x:auto}th,td{padding:.2em .8em;border-bottom:1px solid #ddd;text-align:right;font-variant-numeric:tabular-nums}'
	+ 'th:first-child,td:first-child{text-align:left}dl{display:grid;grid-template-columns:max-content auto;gap:.2em 1em}dt{color:#666}dd{margin:0;overflow-wrap:anywhere}'
	+ '@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}th,td{border-color:#444}dt{color:#999}}';

const sectionToHtml = ({title, facts = [], notes = [], tables = []}: Section): string => [
	`<h2>${escape(title)}</h2>`,
	...notes.map(note => `<p>${escape(note)}</p>`),
	...(facts.length > 0 ? [`<dl>${facts.map(([name, value]) => `<dt>${escape(name)}</dt><dd>${escape(value)}</dd>`).join('')}</dl>`] : []),
	...tables.map(tableToHtml),
].join('\n');

const tableToHtml = ({head, rows}: Table): string =>
	`<table><thead><tr>${cells('th', head)}</tr></thead><tbody>\n${rows.map(row => `<tr>${cells('td', row)}</tr>`).join('\n')}\n</tbody></table>`;

const cells = (tag: 'th' | 'td', texts: readonly string[]): string => texts.map(text => `<${tag}>${escape(text)}</${tag}>`).join('');

const entities: Readonly<Record<string, string>> = {'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\'': '&#39;'};

const escape = (text: string): string => text.replaceAll(/[&<>"']/g, character => entities[character]!);
