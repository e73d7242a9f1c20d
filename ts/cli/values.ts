// Values of the command line with a notation of their own. What can't be read is given back as it is: the options' schema then refuses it,
// so that all complaints come at once and have one wording.

/** '12', '0.5' or '1e-3' as a number. */
export const parseNumber = (raw: string): number | string => /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(raw.trim()) ? Number(raw) : raw;

const sizeUnits: Readonly<Record<string, number>> = {
	'': 1, b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40,
};

/** '5GB' (decimal), '4GiB' (binary) or '1000' as bytes, rounded to whole ones. */
export const parseSize = (raw: string): number | string => {
	const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(raw.trim()) ?? [];
	const factor = unit === undefined ? undefined : sizeUnits[unit.toLowerCase()];
	return amount === undefined || factor === undefined ? raw : Math.round(Number(amount) * factor);
};

/** 'none', '4' (a number of layers), or '3,' and '3,7' (a list: it has a comma). No layers are 'none' as well as '0'. */
export const parseDrop = (raw: string): false | number | readonly number[] | string => {
	const text = raw.replaceAll(/\s/g, '');
	if (text === 'none' || text === '0') {
		return false;
	}

	if (/^\d+$/.test(text)) {
		return Number(text);
	}

	return /^\d+(?:,\d+)*,?$/.test(text) ? text.split(',').filter(Boolean).map(Number) : raw;
};

/** 'none', or a number. */
export const parseWidth = (raw: string): false | number | string => raw === 'none' ? false : parseNumber(raw);

/** 'none', 'used', 'min-count:5', 'top:8000' or 'coverage:0.999'. */
export const parseVocabulary = (raw: string): false | Readonly<Record<string, unknown>> => {
	if (raw === 'none') {
		return false;
	}

	const [, select, amount] = /^(min-count|top|coverage):(.*)$/s.exec(raw) ?? [];
	return select === undefined ? {select: raw} : {select, [select === 'min-count' ? 'minCount' : select]: parseNumber(amount!)};
};
