import type {Flags} from './flags.js';
import {isObject, type Unchecked} from './recipe.js';
import {parseDrop, parseNumber, parseSize, parseVocabulary, parseWidth} from './values.js';

// The options of the API that flags stand for, over those of a recipe: a flag replaces the one option that it stands for. Not checked yet.

/** The options of `prune`. */
export const pruneOptions = (model: string | undefined, flags: Flags, recipe: Unchecked): Unchecked => ({...planOptions(model, flags, recipe), ...outputOptions(flags)});

/** The options of `plan`. */
export const planOptions = (model: string | undefined, flags: Flags, recipe: Unchecked): Unchecked => ({...recipe, ...given({
	model,
	corpus: source(recipe['corpus'], flags.corpus, flags.corpusField, flags),
	calibration: calibration(flags, recipe),
	evaluation: source(recipe['evaluation'], flags.eval, flags.evalField, flags, {maxTexts: number(flags.evalMaxTexts), maxTokens: number(flags.evalMaxTokens)}),
	vocabulary: vocabulary(recipe['vocabulary'], flags),
	layers: part(recipe['layers'], 'drop', read(flags.dropLayers, parseDrop), {metric: flags.layerMetric, search: flags.layerSearch}, flags),
	ffn: part(recipe['ffn'], 'width', read(flags.ffnWidth, parseWidth), {strategy: flags.ffnStrategy, multipleOf: number(flags.ffnMultiple), seed: number(flags.seed)}, flags),
	compute: flags.compute,
	device: flags.device,
	maxDeviceMemory: read(flags.maxDeviceMemory, parseSize),
	...resources(flags),
})});

/** The options of `apply`. */
export const applyOptions = (model: string | undefined, flags: Flags, recipe: Unchecked): Unchecked => ({...recipe, ...given({
	model,
	plan: flags.plan,
	calibration: calibration(flags, recipe),
	...resources(flags),
	...outputOptions(flags),
})});

/** The options of `inspect`. */
export const inspectOptions = (model: string | undefined, recipe: Unchecked): Unchecked => ({...recipe, ...given({model})});

// Without --no-verify, nothing is said about it.
const outputOptions = ({out, force, verify, maxShardSize}: Flags): Unchecked =>
	given({out, force, verify: verify === false ? false : undefined, maxShardBytes: read(maxShardSize, parseSize)});

const resources = ({threads, maxMemory}: Flags): Unchecked => ({threads: number(threads), maxMemory: read(maxMemory, parseSize)});

const given = (options: Unchecked): Unchecked => Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

const isEmpty = (options: Unchecked): boolean => Object.keys(options).length === 0;

const read = <Value>(raw: string | undefined, parse: (raw: string) => Value): Value | undefined => raw === undefined ? undefined : parse(raw);

const number = (raw: string | undefined): number | string | undefined => read(raw, parseNumber);

const calibration = (flags: Flags, recipe: Unchecked): unknown =>
	source(recipe['calibration'], flags.calibration, flags.calibrationField, flags, {maxTexts: number(flags.maxTexts), maxTokens: number(flags.maxTokens)});

// A limit without paths makes a source too, so that the missing paths are complained about; how files are read does not.
const source = (base: unknown, paths: readonly string[] | undefined, fields: readonly string[] | undefined, {extension, format}: Flags, limits: Unchecked = {}): unknown => {
	const own = given({paths, fields, ...limits});
	const begun = sourceObject(base, paths !== undefined);
	const files = isObject(begun) && 'texts' in begun ? {} : given({extensions: extension, format});
	return isEmpty(own) && (base === undefined || isEmpty(files)) ? base : over(begun, {...own, ...files});
};

// A recipe may name paths without an object around them. Texts in it are replaced by paths of flags.
const sourceObject = (base: unknown, hasPaths: boolean): unknown => {
	if (hasPaths) {
		return isObject(base) ? given({...base, texts: undefined}) : undefined;
	}

	return typeof base === 'string' || Array.isArray(base) ? {paths: [base].flat()} : base;
};

const vocabulary = (base: unknown, {vocab, vocabMultiple}: Flags): unknown => {
	const selection = read(vocab, parseVocabulary);
	const multiple = given({multipleOf: number(vocabMultiple)});
	if (selection === undefined) {
		return over(base, multiple);
	}

	// What one selection needs, another does not take.
	return selection && {...isObject(base) && given({multipleOf: base['multipleOf']}), ...selection, ...multiple};
};

// Layers or FFN: `name` is the option that says how much goes. Positions by themselves make no part.
const part = (base: unknown, name: string, amount: unknown, others: Unchecked, {positions}: Flags): unknown => {
	const own = given({[name]: amount, ...others});
	if (amount === false || (isEmpty(own) && base === undefined)) {
		return amount;
	}

	return over(amount === undefined || isObject(base) ? base : undefined, given({...own, positions}));
};

// What is no object (false, or a mistake to be complained about) stays.
const over = (base: unknown, own: Unchecked): unknown => isEmpty(own) || (base !== undefined && !isObject(base)) ? base : {...base, ...own};
