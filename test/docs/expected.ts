// Compares what a program printed with what a document says it prints. Numbers that are measured differ a little between processors
// and texts are laid out by the width of numbers, so: words must be equal, numbers nearly, durations may be anything. A line of
// `...` stands for any lines, `...` within a line for anything.

const tolerance = 0.15;
const number = String.raw`[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?`;
const duration = /^\s*(?:ms|s|min|µs)\b/;

/** What is different, as a sentence; undefined if nothing is. */
export const difference = (expected: string, actual: string): string | undefined => {
	const [want, got] = [linesOf(expected), linesOf(actual)];
	const reached = match(want, got);
	return reached === undefined ? undefined : `expected ${JSON.stringify(want[reached] ?? 'the end')}\nin what was printed:\n${actual}`;
};

const linesOf = (text: string): readonly string[] => {
	const lines = text.split(/\r?\n/).map(line => line.trim().replaceAll(/\s+/g, ' '));
	return lines.filter((line, place) => line !== '' || (place > 0 && lines[place - 1] !== '')).join('\n').trim().split('\n');
};

// The place of the line that was not found; undefined if all were.
const match = (want: readonly string[], got: readonly string[]): number | undefined => {
	let at = 0;
	let anything = false;
	for (const [place, line] of want.entries()) {
		if (line === '...') {
			anything = true;
			continue;
		}

		while (anything && at < got.length && !sameLine(line, got[at]!)) {
			at++;
		}

		if (at >= got.length || !sameLine(line, got[at]!)) {
			return place;
		}

		anything = false;
		at++;
	}

	return anything || at === got.length ? undefined : want.length;
};

/** Whether a line is printed as a document says. */
export const sameLine = (expected: string, actual: string): boolean => {
	const numbers = [...expected.matchAll(new RegExp(number, 'g'))];
	const pattern = expected.split(new RegExp(`(${number})`)).map((part, place) => place % 2 === 1 ? `(${number})` : wordsPattern(part)).join('');
	const found = new RegExp(`^${pattern}$`).exec(actual);
	return found !== null && numbers.every((wanted, place) => {
		const after = expected.slice(wanted.index + wanted[0].length);
		return duration.test(after) || nearly(valueOf(wanted[0]), valueOf(found[place + 1]!));
	});
};

const wordsPattern = (text: string): string => text
	.replaceAll(/[\\^$*+?()[\]{}|]/g, String.raw`\$&`)
	.replaceAll('...', '\u0000')
	.replaceAll('.', String.raw`\.`)
	.replaceAll('\u0000', '.*')
	.replaceAll(/-{3,}/g, '-+');

const valueOf = (text: string): number => Number(text.replaceAll(',', ''));

const nearly = (a: number, b: number): boolean => Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b));
