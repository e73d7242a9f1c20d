// Runs in turns: ours, theirs, ours, theirs. A machine that slows down or is busy for a while then slows both.
//
// A side is {name, prepare, run}; a run's answer is {seconds} and whatever else is known: `scale` (the whole takes that many times
// as long), peakBytes, cpuSeconds and machineSeconds (of the side's processors, of all of the machine's), bytes, note. An answer of
// either with an `error` means that the side can't run: it is not asked again.

/**
 * The answers of each side, in the order of its runs. The first round warms up and is not counted, unless someone's run alone
 * took longer than `seconds`: then it is the only round. Otherwise there are two or more, until there are `runs` or `seconds` are
 * over.
 */
export const runInTurns = async (sides, {runs, seconds}) => {
	const errors = new Map();
	const askAll = async ask => {
		const answers = new Map();
		for (const side of sides.filter(side => !errors.has(side))) {
			const answer = await ask(side);
			if (answer?.error === undefined) {
				answers.set(side, answer);
			} else {
				errors.set(side, answer.error);
			}
		}

		return answers;
	};

	await askAll(async side => side.prepare?.());
	const round = async () => askAll(async side => side.run());
	let rounds = [await round()];
	if (Math.max(...durations(rounds[0])) <= seconds) {
		rounds = [];
		for (let spent = 0; rounds.length < runs && (rounds.length < 2 || spent < seconds);) {
			rounds.push(await round());
			spent += durations(rounds.at(-1)).reduce((sum, duration) => sum + duration, 0);
		}
	}

	return sides.map(side => ({name: side.name, error: errors.get(side), answers: errors.has(side) ? [] : rounds.map(answers => answers.get(side))}));
};

const durations = answers => [...answers.values()].map(({seconds}) => seconds);

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
		// Processors that it kept busy; and that something else did, unless in too short a time for how coarsely systems count.
		...(last.cpuSeconds > 0 ? {cores: sum('cpuSeconds') / sum('seconds')} : {}),
		...(last.machineSeconds !== undefined && sum('seconds') > 0.3 ? {otherCores: Math.max(0, (sum('machineSeconds') - sum('cpuSeconds')) / sum('seconds'))} : {}),
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
