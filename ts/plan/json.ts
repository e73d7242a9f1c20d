/**
 * JSON that can be read and compared line by line: two spaces of indentation, keys in the order of the value, and what is short or flat
 * (ranges, a layer's scores) on one line. Equal values give equal text. Ends in a line break.
 *
 * `value` holds only what JSON can say; members that are undefined are left out.
 */
export const toJson = (value: unknown): string => `${format(value, '')}\n`;

const lineLength = 160;

const format = (value: unknown, indent: string): string => {
	if (typeof value !== 'object' || value === null) {
		return JSON.stringify(value);
	}

	const inner = `${indent}  `;
	if (Array.isArray(value)) {
		return value.every(isFlat)
			? JSON.stringify(value)
			: `[\n${value.map(item => inner + format(item, inner)).join(',\n')}\n${indent}]`;
	}

	const entries = Object.entries(value).filter(([, member]) => member !== undefined);
	const line = `{${entries.map(([key, member]) => `${JSON.stringify(key)}: ${JSON.stringify(member)}`).join(', ')}}`;
	if (entries.length === 0 || (line.length <= lineLength && entries.every(([, member]) => isScalar(member)))) {
		return line;
	}

	return `{\n${entries.map(([key, member]) => `${inner}${JSON.stringify(key)}: ${format(member, inner)}`).join(',\n')}\n${indent}}`;
};

const isScalar = (value: unknown): boolean => typeof value !== 'object' || value === null;

const isFlat = (value: unknown): boolean => isScalar(value) || (Array.isArray(value) && value.every(isScalar));
