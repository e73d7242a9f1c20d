// Results as people read them: a table that is Markdown too.

import {formatBytes, formatRatio, formatSeconds, formatShare, formatSpeed, missing} from './numbers.mjs';

/** The best of each kind of peer; those that could not run are left out. A name is "kind: form", or a kind alone. */
export const bestOfKinds = peers => {
	const best = new Map();
	for (const peer of peers.filter(({error}) => error === undefined)) {
		const kind = peer.name.split(':')[0];
		if (!(best.get(kind)?.medianSeconds <= peer.medianSeconds)) {
			best.set(kind, peer);
		}
	}

	return [...best.values()];
};

const bytesOrMissing = bytes => bytes === undefined ? missing : formatBytes(bytes);

const peerCells = ({name, note, medianSeconds, peakBytes, ratioOfMedians}) =>
	[note === undefined ? name : `${name} (${note})`, formatSeconds(medianSeconds), bytesOrMissing(peakBytes), formatRatio(ratioOfMedians)];

const ownCells = result => {
	const [operation, ...shape] = result.name.split('/');
	return [
		operation,
		shape.join('/'),
		String(result.runs),
		formatSeconds(result.medianSeconds),
		formatSeconds(result.bestSeconds),
		formatSpeed(result, result.medianSeconds),
		result.shareOfLimit === undefined ? missing : formatShare(result.shareOfLimit),
		bytesOrMissing(result.peakBytes),
	];
};

const ownHead = ['operation', 'shape', 'runs', 'median', 'best', 'speed', 'of limit', 'memory'];
const peerHead = ['compared with', 'its median', 'its memory', 'ratio'];

/** One row a case, and one more for each further kind of peer. */
export const resultTable = results => {
	const compared = results.some(({peers}) => bestOfKinds(peers).length > 0);
	const rows = results.flatMap(result => {
		const peers = bestOfKinds(result.peers).map(peer => peerCells(peer));
		const first = peers.shift() ?? peerHead.map(() => missing);
		return compared ? [[...ownCells(result), ...first], ...peers.map(cells => [...ownHead.map(() => ''), ...cells])] : [ownCells(result)];
	});
	return markdown(compared ? [...ownHead, ...peerHead] : ownHead, rows);
};

const texts = new Set(['operation', 'shape', 'compared with']);

const markdown = (head, rows) => {
	const widths = head.map((name, column) => Math.max(name.length, ...rows.map(row => row[column].length)));
	const line = cells => `| ${cells.map((cell, column) => texts.has(head[column]) ? cell.padEnd(widths[column]) : cell.padStart(widths[column])).join(' | ')} |`;
	const rule = widths.map((width, column) => texts.has(head[column]) ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`);
	return `${[line(head), line(rule), ...rows.map(row => line(row))].join('\n')}\n`;
};

/** The cases during which more than a tenth of a processor was busy with something else, as sentences. */
export const disturbances = results => results.flatMap(({name, otherCores, peers}) => {
	const cores = Math.max(otherCores ?? 0, ...peers.map(peer => peer.otherCores ?? 0));
	return cores > 0.1 ? [`${name}: ${cores.toFixed(1)} processors were busy with something else`] : [];
});
