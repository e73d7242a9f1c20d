/** A JSON object as read. */
export type JsonRecord = Readonly<Record<string, unknown>>;

export const isRecord = (value: unknown): value is JsonRecord =>
	typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map);

/**
 * JSON text with two spaces of indentation and a final newline; other scripts are not escaped.
 *
 * A Map is written as an object in its own order: JavaScript's objects would move keys like "7" to the front. Whole numbers too
 * long for JavaScript's notation (`model_max_length` is often 10^30) are written out, since other readers would take 1e+30 for a float.
 */
export const writeJson = (value: unknown): string => `${write(value, '\n')}\n`;

const write = (value: unknown, newline: string): string => {
	if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) >= 1e21) {
		return BigInt(value).toString();
	}

	if (typeof value !== 'object' || value === null) {
		return JSON.stringify(value) ?? 'null';
	}

	const inner = `${newline}  `;
	if (Array.isArray(value)) {
		return value.length === 0 ? '[]' : `[${value.map(item => inner + write(item, inner)).join(',')}${newline}]`;
	}

	const entries = [...(value instanceof Map ? value as ReadonlyMap<string, unknown> : Object.entries(value))].filter(([, item]) => item !== undefined);
	return entries.length === 0 ? '{}' : `{${entries.map(([key, item]) => `${inner}${JSON.stringify(key)}: ${write(item, inner)}`).join(',')}${newline}}`;
};

/** Every value of a key "type" anywhere inside: the kinds of steps in a normalizer, pre-tokenizer, decoder or post-processor. */
export const namedTypes = (value: unknown): ReadonlySet<string> => {
	const found = new Set<string>();
	visit(value, (key, item) => {
		if (key === 'type' && typeof item === 'string') {
			found.add(item);
		}
	});
	return found;
};

/** Calls `onItem` for every member of every object and element of every array inside `value`; elements have the key of their array. */
export const visit = (value: unknown, onItem: (key: string, item: unknown) => void, key = ''): void => {
	const items: ReadonlyArray<readonly [string, unknown]> = Array.isArray(value)
		? value.map(item => [key, item] as const)
		: isRecord(value) ? Object.entries(value) : [];
	for (const [itemKey, item] of items) {
		onItem(itemKey, item);
		visit(item, onItem, itemKey);
	}
};
