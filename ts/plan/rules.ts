// Rules between options. They also see options that are wrong in themselves, and then say nothing about those.

/** A rule that is broken: at which option, and what was expected there. */
export type BrokenRule = {
	readonly path: readonly string[];
	readonly expected: string;
	/** Said instead of the value at the path. */
	readonly got?: string;
};

/** Every rule between the options of `plan` that is broken. */
export const brokenRules = (options: unknown): readonly BrokenRule[] => {
	if (!isRecord(options)) {
		return [];
	}

	return [...nothingToPrune(options), ...vocabularyRules(options), ...layerRules(options), ...calibrationRules(options)];
};

const nothingToPrune = ({corpus, vocabulary, layers, ffn}: Options): readonly BrokenRule[] => {
	const nothing = layers === false && ffn === false && (vocabulary === false || (vocabulary === undefined && corpus === undefined));
	return nothing ? [{path: [], expected: 'something to prune: a corpus or vocabulary, layers, or ffn', got: 'none of them'}] : [];
};

const companions: Readonly<Record<string, string>> = {'min-count': 'minCount', top: 'top', coverage: 'coverage'};

const vocabularyRules = ({corpus, calibration, vocabulary}: Options): readonly BrokenRule[] => {
	if (!isRecord(vocabulary)) {
		return [];
	}

	const select = String(vocabulary['select']);
	const needed = companions[select];
	return [
		...(corpus === undefined && calibration === undefined ? [{path: ['corpus'], expected: 'texts that the vocabulary is counted on'}] : []),
		...(needed !== undefined && vocabulary[needed] === undefined ? [{path: ['vocabulary', needed], expected: `a number, which the selection '${select}' needs`}] : []),
		...Object.entries(companions)
			.filter(([other, name]) => other !== select && vocabulary[name] !== undefined)
			.map(([other, name]) => ({path: ['vocabulary', name], expected: `no number: only the selection '${other}' takes one`})),
	];
};

// Only the divergence is a mean over texts that can be compared text by text while it is measured.
const layerRules = ({layers}: Options): readonly BrokenRule[] =>
	isRecord(layers) && layers['search'] === 'racing' && layers['metric'] !== undefined && layers['metric'] !== 'kl'
		? [{path: ['layers', 'metric'], expected: 'kl, the metric that the search \'racing\' needs'}]
		: [];

const measuredStrategies: ReadonlySet<unknown> = new Set(['activation', 'wanda', 'fluctuation', 'auto']);

const calibrationRules = ({calibration, layers, ffn}: Options): readonly BrokenRule[] => {
	if (calibration !== undefined) {
		return [];
	}

	if (isRecord(layers) && typeof layers['drop'] === 'number') {
		return [{path: ['calibration'], expected: 'texts that layers are scored on'}];
	}

	return isRecord(ffn) && measuredStrategies.has(ffn['strategy'])
		? [{path: ['calibration'], expected: `texts that the strategy '${String(ffn['strategy'])}' scores neurons on`}]
		: [];
};

type Options = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Options => typeof value === 'object' && value !== null && !Array.isArray(value);
