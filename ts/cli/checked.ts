import type {z} from 'zod';
import {FlabError, type FlabErrorCode} from '../errors.js';
import {complaintLine, type Complaint} from '../plan/complaints.js';
import {complaintsAbout} from '../plan/options.js';
import type {Flags} from './flags.js';
import type {Recipe, Unchecked} from './recipe.js';

/** Where options come from. */
export type Origin = {
	/** Name of the command. */
	readonly command: string;
	readonly flags: Flags;
	readonly recipe: Recipe;
	/** Puts options together of a recipe's and of the flags'. */
	readonly make: (recipe: Unchecked) => Unchecked;
	/** Complaints about what is no option of the API. */
	readonly others?: readonly string[];
};

/**
 * The options of a recipe and of the flags, if the schema accepts them.
 *
 * @throws ERR_BAD_ARGUMENT with a line for everything that is wrong, by the name that it has where it was said
 */
export const checkedOptions = <Schema extends z.ZodType>(schema: Schema, origin: Origin): z.input<Schema> => {
	const {command, flags, recipe, make, others = []} = origin;
	const options = make(recipe.options);
	const complaints = complaintsAbout(schema, options).map(complaint => isFromRecipe(complaint.path, origin) ? `${recipe.file}: ${complaintLine(complaint)}` : flagLine(complaint, flags));
	const lines = [...new Set([...complaints, ...others])];
	if (lines.length > 0) {
		const hint = options['model'] === undefined
			? 'Put MODEL first: an option that takes several values takes everything up to the next option.'
			: `flab-pruner ${command} --help describes every flag${recipe.file === undefined ? '' : ', the schemas in the package every option of a recipe'}.`;
		throw new FlabError('ERR_BAD_ARGUMENT', lines.join('\n'), {hint});
	}

	return options as z.input<Schema>;
};

/**
 * An error of the work in the words of the command line: options that it names are called as they were where they came from.
 * Anything else stays as it is.
 */
export const inOwnWords = (error: unknown, origin: Origin): unknown => {
	if (!(error instanceof FlabError)) {
		return error;
	}

	const message = !namesOptions.has(error.code) ? error.message : error.message.replaceAll(/^([a-z]\w*(?:\.\w+)*)(?=: expected )/gm, path => nameOf(path, origin));
	const hint = error.hint?.replaceAll(/([\w.]+) \((--[\w-]+)\)/g, (both, path: string, flag: string) => flagWords[path]?.flag === flag ? flag : both);
	return message === error.message && hint === error.hint ? error : new FlabError(error.code, message, {file: error.file, tensor: error.tensor, hint, cause: error});
};

// In other errors such names are keys of a file.
const namesOptions: ReadonlySet<FlabErrorCode> = new Set(['ERR_BAD_ARGUMENT', 'ERR_MEMORY', 'ERR_NO_DEVICE', 'ERR_DEVICE_MEMORY']);

// Names of files look like paths of options (model.safetensors).
const nameOf = (path: string, origin: Origin): string =>
	Object.hasOwn(flagWords, path) ? (isFromRecipe(path, origin) ? `${origin.recipe.file}: ${path}` : wordsFor(path).flag) : path;

const isFromRecipe = (path: string, {recipe, make}: Origin): boolean => depthOf(path, recipe.options) > depthOf(path, make({}));

/** How many keys of a complaint's path lead somewhere: who said most of it is who is told. */
const depthOf = (path: string, options: unknown): number => {
	let value = options;
	const missing = path.split('.').findIndex(key => {
		const isThere = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
		value = isThere ? (value as Unchecked)[key] : undefined;
		return !isThere;
	});
	return missing === -1 ? Infinity : missing;
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
	device: {flag: '--device'},
	maxDeviceMemory: {flag: '--max-device-memory', expected: sizeForms, raw: 'maxDeviceMemory'},
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
	return path !== '' && known[0] === '' ? {flag: path} : flagWords[known[0]!]!;
};
