// Runs in turns: ours, theirs, ours, theirs. A machine that slows down or is busy for a while then slows both.
//
// A side is {name, run}; a run's answer is {seconds} and whatever else is known: `scale` (the whole takes that many times
// as long), peakBytes, cpuSeconds and machineSeconds (of the side's processors, of all of the machine's), bytes, note, error.

/**
 * The answers of each side, in the order of its runs. The first round warms up and is not counted, unless it alone took longer
 * than `seconds`: then it is the only one. Otherwise there are two rounds or more, until there are `runs` or `seconds` are over.
 * A side that answers with an error is not asked again.
 */
export const runInTurns = async (sides, {runs, seconds}) => {
	const failed = new Map();
	const round = async () => {
		const answers = [];
		for (const side of sides) {
			if (!failed.has(side)) {
				const answer = await side.run();
				answers.push([side, answer]);
				if (answer.error !== undefined) {
					failed.set(side, answer.error);
				}
			}
		}

		return answers.filter(([side]) => !failed.has(side));
	};

	const warmUp = await round();
	let rounds = [];
	let spent = duration(warmUp);
	if (spent > seconds) {
		rounds = [warmUp];
	} else {
		for (spent = 0; rounds.length < runs && (rounds.length < 2 || spent < seconds); spent += duration(rounds.at(-1))) {
			rounds.push(await round());
		}
	}

	return sides.map(side => ({
		name: side.name,
		error: failed.get(side),
		answers: failed.has(side) ? [] : rounds.flatMap(answers => answers.filter(([which]) => which === side).map(([, answer]) => answer)),
	}));
};

const duration = answers => answers.reduce((sum, [, {seconds}]) => sum + seconds, 0);

export const median = values => {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = sorted.length / 2;
	return sorted.length % 2 === 0 ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[Math.floor(middle)];
};

/** What a side's runs took, all in all. */
export const summarise = ({name, error, answers}) => {
	if (error !== undefined) {
		return {name, error};
	}

	const seconds = answers.map(({seconds, scale = 1}) => seconds * scale);
	const sum = key => answers.reduce((total, answer) => total + answer[key], 0);
	const last = answers.at(-1);
	return {
		name,
		runs: seconds.length,
		medianSeconds: median(seconds),
		bestSeconds: Math.min(...seconds),
		seconds,
		...(last.peakBytes > 0 ? {peakBytes: Math.max(...answers.map(({peakBytes}) => peakBytes))} : {}),
		...(last.bytes === undefined ? {} : {bytes: last.bytes}),
		...(last.note === undefined ? {} : {note: last.note}),
		// Processors that were busy with something else meanwhile; not from a few hundredths of a second, which systems count coarsely.
		...(last.machineSeconds !== undefined && sum('seconds') > 0.5 ? {otherCores: Math.max(0, (sum('machineSeconds') - sum('cpuSeconds')) / sum('seconds'))} : {}),
	};
};

/** A case's result: our numbers, and for everyone else how many times as fast we are. `limits` has amounts a second by name. */
export const compare = ([{name: _, ...ours}, ...others], {name, limit, bytes, flops, tokens}, limits) => {
	const counted = {bytes: ours.bytes ?? bytes, flops, tokens};
	return {
		name,
		...counted,
		...ours,
		...(limits.has(limit) ? {limit, shareOfLimit: (flops || counted.bytes) / ours.medianSeconds / limits.get(limit)} : {}),
		peers: others.map(peer => peer.error === undefined
			? {...peer, ratioOfMedians: peer.medianSeconds / ours.medianSeconds, ratioOfBests: peer.bestSeconds / ours.bestSeconds}
			: peer),
	};
};
