import {numberTexts, pathKey, type JsonPath} from './jsonscan.js';

/**
 * JSON text of `value`, indented by two spaces and ended by a newline, as Hugging Face libraries write it.
 *
 * With `like`, the text that the value came from, each number that did not change is written as it was there. This is not
 * cosmetic: `transformers` 5 refuses `"initializer_range": 1` where it saved `1.0`, and JavaScript would write 1.
 */
export const formatJson = (value: unknown, like?: string): string =>
	`${format(value, [], like === undefined ? new Map() : numberTexts(like))}\n`;

const format = (value: unknown, path: JsonPath, numbers: ReadonlyMap<string, string>): string => {
	if (typeof value === 'number') {
		const written = numbers.get(pathKey(path));
		return written !== undefined && Number(written) === value ? written : JSON.stringify(value);
	}

	if (typeof value !== 'object' || value === null) {
		return JSON.stringify(value) ?? 'null';
	}

	const [open, close] = Array.isArray(value) ? '[]' : '{}';
	const items = Object.entries(value as Record<string, unknown>)
		.filter(([, item]) => item !== undefined)
		.map(([key, item]) => `${Array.isArray(value) ? '' : `${JSON.stringify(key)}: `}${format(item, [...path, key], numbers)}`);
	const indent = '  '.repeat(path.length);
	return items.length === 0 ? `${open}${close}` : `${open}\n${items.map(item => `${indent}  ${item}`).join(',\n')}\n${indent}${close}`;
};
