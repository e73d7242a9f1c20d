import type {z} from 'zod';
import {FlabError} from '../errors.js';
import type {Complaint} from '../plan/complaints.js';
import {complaintsAbout} from '../plan/options.js';
import type {Flags} from './flags.js';
import {parseDrop, parseNumber, parseSize, parseVocabulary, parseWidth} from './values.js';

/** The options of the API that the flags of `plan` stand for; not checked yet. */
export const planOptions = (model: string, flags: Flags): Readonly<Record<string, unknown>> => given({
	model,
	corpus: source(flags.corpus, flags.corpusField, flags),
	calibration: source(flags.calibration, flags.calibrationField, flags, {maxTexts: number(flags.maxTexts), maxTokens: number(flags.maxTokens)}),
	evaluation: source(flags.eval, flags.evalField, flags, {maxTexts: number(flags.evalMaxTexts), maxTokens: number(flags.evalMaxTokens)}),
	vocabulary: vocabulary(flags),
	layers: member('drop', read(flags.dropLayers, parseDrop), {metric: flags.layerMetric, search: flags.layerSearch}, flags.positions),
	ffn: member('width', read(flags.ffnWidth, parseWidth), {strategy: flags.ffnStrategy, multipleOf: number(flags.ffnMultiple), seed: number(flags.seed)}, flags.positions),
	compute: flags.compute,
	...resources(flags),
});

/** The options that say how a checkpoint is written. */
export const outputOptions = ({out, force, verify, maxShardSize}: Flags): Readonly<Record<string, unknown>> =>
	given({out, force, verify, maxShardBytes: read(maxShardSize, parseSize)});

const resources = ({threads, maxMemory}: Flags): Readonly<Record<string, unknown>> => ({threads: number(threads), maxMemory: read(maxMemory, parseSize)});

/** The options of `apply`. */
export const applyOptions = (model: string, flags: Flags): Readonly<Record<string, unknown>> => given({
	model,
	plan: flags.plan,
	calibration: source(flags.calibration, flags.calibrationField, flags, {maxTexts: number(flags.maxTexts), maxTokens: number(flags.maxTokens)}),
	...resources(flags),
	...outputOptions(flags),
});

/** `options`, if the schema accepts them. @throws ERR_BAD_ARGUMENT with a line for each flag that is wrong */
export const checkedOptions = <Schema extends z.ZodType>(schema: Schema, options: unknown, flags: Flags, others: readonly string[] = []): z.input<Schema> => {
	const lines = [...new Set([...complaintsAbout(schema, options).map(complaint => flagLine(complaint, flags)), ...others])];
	if (lines.length > 0) {
		throw new FlabError('ERR_BAD_ARGUMENT', lines.join('\n'), {hint: 'flab-pruner COMMAND --help describes every option.'});
	}

	return options as z.input<Schema>;
};

const given = (options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
	Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

const read = <Value>(raw: string | undefined, parse: (raw: string) => Value): Value | undefined => raw === undefined ? undefined : parse(raw);

const number = (raw: string | undefined): number | string | undefined => read(raw, parseNumber);

// A limit without paths makes a source too, so that the missing paths are complained about.
const source = (paths: readonly string[] | undefined, fields: readonly string[] | undefined, {extension, format}: Flags, limits: Readonly<Record<string, unknown>> = {}): unknown => {
	const own = given({paths, fields, ...limits});
	return Object.keys(own).length === 0 ? undefined : given({...own, extensions: extension, format});
};

const vocabulary = ({vocab, vocabMultiple}: Flags): unknown => {
	const selection = read(vocab, parseVocabulary);
	return selection === false || (selection === undefined && vocabMultiple === undefined) ? selection : given({...selection, multipleOf: number(vocabMultiple)});
};

const member = (name: string, value: unknown, others: Readonly<Record<string, unknown>>, positions: string | undefined): unknown => {
	const own = given({[name]: value, ...others});
	return value === false || Object.keys(own).length === 0 ? value : given({...own, positions});
};

type FlagWords = {readonly flag: string; readonly expected?: string; readonly raw?: keyof Flags};

const vocabularyWords: FlagWords = {flag: '--vocab', expected: 'used, min-count:N, top:N, coverage:SHARE (above 0, at most 1) or none', raw: 'vocab'};

const sizeForms = 'a size of at least 1 byte, such as 5GB, 500MB or 2GiB';

// How the command line calls what the API calls otherwise. The longest path that a complaint's path begins with counts.
const flagWords: Readonly<Record<string, FlagWords>> = {
	'': {flag: 'options', expected: 'something to prune (--corpus or --vocab, --drop-layers, --ffn-width)'},
	model: {flag: 'MODEL'},
	corpus: {flag: '--corpus'},
	'corpus.fields': {flag: '--corpus-field'},
	calibration: {flag: '--calibration'},
	'calibration.fields': {flag: '--calibration-field'},
	'calibration.maxTexts': {flag: '--max-texts'},
	'calibration.maxTokens': {flag: '--max-tokens'},
	evaluation: {flag: '--eval'},
	'evaluation.fields': {flag: '--eval-field'},
	'evaluation.maxTexts': {flag: '--eval-max-texts'},
	'evaluation.maxTokens': {flag: '--eval-max-tokens'},
	...Object.fromEntries(['corpus', 'calibration', 'evaluation'].flatMap(name => [[`${name}.format`, {flag: '--format'}], [`${name}.extensions`, {flag: '--extension'}]])),
	vocabulary: vocabularyWords,
	'vocabulary.multipleOf': {flag: '--vocab-multiple'},
	layers: {flag: '--drop-layers'},
	'layers.drop': {flag: '--drop-layers', expected: 'a number of layers ("4"), a list with a comma ("3," or "3,7") or none', raw: 'dropLayers'},
	'layers.metric': {flag: '--layer-metric'},
	'layers.search': {flag: '--layer-search'},
	'layers.positions': {flag: '--positions'},
	ffn: {flag: '--ffn-width'},
	'ffn.width': {flag: '--ffn-width', expected: 'a whole number of neurons, a share above 0 and below 1, or none', raw: 'ffnWidth'},
	'ffn.strategy': {flag: '--ffn-strategy'},
	'ffn.multipleOf': {flag: '--ffn-multiple'},
	'ffn.seed': {flag: '--seed'},
	'ffn.positions': {flag: '--positions'},
	compute: {flag: '--compute'},
	threads: {flag: '--threads'},
	maxMemory: {flag: '--max-memory', expected: sizeForms, raw: 'maxMemory'},
	plan: {flag: '--plan'},
	out: {flag: '--out'},
	maxShardBytes: {flag: '--max-shard-size', expected: sizeForms, raw: 'maxShardSize'},
};

const flagLine = (complaint: Complaint, flags: Flags): string => {
	const {flag, expected, raw} = wordsFor(complaint.path);
	const said = raw && flags[raw] !== undefined ? JSON.stringify(flags[raw]) : complaint.got;
	return `${flag}: expected ${expected ?? complaint.expected}, got ${said === 'undefined' ? 'nothing' : said}`;
};

const wordsFor = (path: string): FlagWords => {
	const known = Object.keys(flagWords).filter(name => name === '' || path === name || path.startsWith(`${name}.`)).sort((a, b) => b.length - a.length);
	return path === '' || known[0] === '' ? {...flagWords[''], flag: path === '' ? 'options' : path} : flagWords[known[0]!]!;
};
