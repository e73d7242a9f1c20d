// What JSON.parse does not tell: where things are in the text. Both functions need text that JSON.parse accepts.

/** Path of a key or element: `rope_parameters`, `factor` for the number in `{"rope_parameters": {"factor": 8.0}}`. */
export type JsonPath = readonly string[];

/** The first key that appears twice in the same object, as a path; JSON.parse would silently keep the last one. */
export const duplicateKey = (text: string): JsonPath | undefined => {
	let found: JsonPath | undefined;
	scanJson(text, {onDuplicate: path => {
		found ??= path;
	}});
	return found;
};

/** Every number as written, by path: `1.0` and `1e-05`, where JavaScript would write 1 and 0.00001. */
export const numberTexts = (text: string): ReadonlyMap<string, string> => {
	const numbers = new Map<string, string>();
	scanJson(text, {onNumber: (path, written) => numbers.set(pathKey(path), written)});
	return numbers;
};

/** A path as a map key. */
export const pathKey = (path: JsonPath): string => JSON.stringify(path);

type Events = {
	readonly onDuplicate?: (path: JsonPath) => void;
	readonly onNumber?: (path: JsonPath, written: string) => void;
};

type Frame = {readonly keys?: Set<string>; step: string; index: number};

const scanJson = (text: string, {onDuplicate, onNumber}: Events): void => {
	const frames: Frame[] = [];
	const path = (): string[] => frames.map(({step}) => step);
	let expectsKey = false;
	for (const token of jsonTokens(text)) {
		const frame = frames.at(-1);
		if (token === '{' || token === '[') {
			expectsKey = token === '{';
			frames.push(expectsKey ? {keys: new Set(), step: '', index: 0} : {step: '0', index: 0});
		} else if (token === '}' || token === ']') {
			frames.pop();
		} else if (token === ',') {
			expectsKey = frame?.keys !== undefined;
			if (frame !== undefined && !expectsKey) {
				frame.step = String(++frame.index);
			}
		} else if (token === ':') {
			expectsKey = false;
		} else if (expectsKey && frame?.keys !== undefined) {
			frame.step = token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1);
			if (frame.keys.has(frame.step)) {
				onDuplicate?.(path());
			}

			frame.keys.add(frame.step);
		} else if (onNumber !== undefined && /^[-\d]/.test(token)) {
			onNumber(path(), token);
		}
	}
};

/** Strings with their quotes, punctuation, numbers and words, in order. Not one big regular expression: that overflows the stack on a string of some megabytes. */
function * jsonTokens(text: string): Generator<string> {
	const word = /[^\s{}[\],:"]+/y;
	for (let begin = 0; begin < text.length;) {
		const character = text[begin]!;
		let end = begin + 1;
		if (character === '"') {
			end = stringEnd(text, begin);
			yield text.slice(begin, end);
		} else if ('{}[],:'.includes(character)) {
			yield character;
		} else if (character.trim() !== '') {
			word.lastIndex = begin;
			word.test(text);
			end = Math.max(end, word.lastIndex);
			yield text.slice(begin, end);
		}

		begin = end;
	}
}

/** One past the closing quote of the string that opens at `begin`: the next quote after an even number of backslashes. */
const stringEnd = (text: string, begin: number): number => {
	let quote = text.indexOf('"', begin + 1);
	while (quote !== -1) {
		let backslashes = 0;
		while (text[quote - 1 - backslashes] === '\\') {
			backslashes++;
		}

		if (backslashes % 2 === 0) {
			return quote + 1;
		}

		quote = text.indexOf('"', quote + 1);
	}

	return text.length;
};
