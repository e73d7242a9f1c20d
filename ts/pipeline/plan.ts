import {basename} from 'node:path';
import {calibrationWarnings} from '../calibration/encode.js';
import type {CalibrationTexts} from '../calibration/encode.js';
import type {Reading} from '../calibration/texts.js';
import {badArgument} from '../errors.js';
import type {ModelHandle} from '../native/contract.js';
import {resolvePlanOptions} from '../plan/options.js';
import type {PlanOptions, ResolvedPlanOptions} from '../plan/options.js';
import {candidateStrategies} from '../plan/neurons.js';
import {checkedPlan, portableOptions} from '../plan/plan.js';
import {planSchemaVersion} from '../plan/schema.js';
import type {Plan, PlanSource} from '../plan/schema.js';
import type {DeviceReport} from '../plan/types.js';
import {resolveDrop, resolveFfnWidth, widthWarnings} from '../plan/sizes.js';
import {checkControl} from '../progress.js';
import type {Control} from '../progress.js';
import {generator} from '../report/generator.js';
import {readTokenizer} from '../tokenizer/files.js';
import type {TokenizerFiles} from '../tokenizer/files.js';
import {createClock} from './clock.js';
import type {Clock} from './clock.js';
import {describeDevice, withModel} from './device.js';
import type {PlacedModel} from './device.js';
import {withHashes} from './hashes.js';
import {chooseLayers, keptLayers, scoresCandidates} from './layers.js';
import {checkDeviceMemory, checkMemory} from './memory.js';
import type {Demands} from './memory.js';
import {chooseNeurons, needsTexts} from './neurons.js';
import {describeSample, originalReader, prunedReader, readSample, withReadableTexts} from './samples.js';
import type {Reader} from './samples.js';
import {describeSource, openSource, resolveCompute} from './source.js';
import type {Source} from './source.js';
import {measureStages} from './stages.js';
import {chooseVocabulary} from './vocabulary.js';
import type {ChosenVocabulary} from './vocabulary.js';

/**
 * Searches what to cut from a checkpoint and writes nothing: which tokens, layers and FFN neurons stay, every number that the
 * choices were made on, and what each cut costs.
 *
 * @throws FlabError: ERR_BAD_ARGUMENT (options), ERR_READ, ERR_BAD_FILE, ERR_BAD_CONFIG, ERR_UNKNOWN_FAMILY (checkpoint),
 * ERR_BAD_TOKENIZER, ERR_BAD_DATA (texts), ERR_PROOF (the pruned tokenizer is not exact), ERR_MEMORY, ERR_ABORTED
 */
export const plan = async (options: PlanOptions, control: Control = {}): Promise<Plan> => {
	checkControl(control);
	const resolved = withReadableTexts(resolvePlanOptions(options), control);
	const source = await openSource(resolved.model, resolved);
	return withHashes(source, resolved.threads, control, async (hashes, control) => {
		const {plan} = await makePlan(source, resolved, createClock(), control);
		return withFiles(plan, await hashes.wait());
	});
};

/** A plan with the files that it is for. */
export const withFiles = (plan: Plan, files: PlanSource['files']): Plan => ({...plan, source: {...plan.source, files}});

/** A plan that was made, and what the model ran on; null where nothing was measured. */
export type MadePlan = {readonly plan: Plan; readonly device: DeviceReport | null};

/** `plan` for a checkpoint that is open, without its files: they may still be hashed. `verifies`: whether the output will be. */
export const makePlan = async (source: Source, options: ResolvedPlanOptions, clock: Clock, control: Control, verifies = false): Promise<MadePlan> => {
	checkTexts(options);
	checkSizes(source, options);
	const {time} = clock;
	const {vocabulary: vocabularyOptions, layers: layerOptions, ffn: ffnOptions} = options;
	const tokenizer = options.vocabulary || options.calibration || options.evaluation ? await readTokenizer(source.checkpoint.dir) : undefined;

	const passedOver = new Set<string>();
	const reading: Reading = {...control, onPassedOver: file => passedOver.add(basename(file))};
	const chosen = vocabularyOptions
		? await time('vocabulary', async () => chooseVocabulary(source, tokenizer!, {vocabulary: vocabularyOptions, threads: options.threads, maxMemory: options.maxMemory}, corpusSources(options), reading))
		: undefined;
	const samples = await readSamples(source, tokenizer, chosen, options, reading);
	const {calibration, evaluation} = samples;

	const measures = calibration !== undefined || evaluation !== undefined;
	const check = ({model, device}: PlacedModel): void => {
		const demands = {...demandsOf(model, source, options, samples), compares: verifies, tokenizerBytes: tokenizer?.text.length ?? 0, counted: chosen !== undefined};
		checkMemory(source, options.maxMemory, demands);
		if (device.opened) {
			checkDeviceMemory(source, demands);
		}
	};

	const placing = {
		device: measures ? options.device : 'cpu',
		maxDeviceMemory: options.maxDeviceMemory,
		compute: resolveCompute(source, options.compute),
		check,
		signal: control.signal,
	};
	return withModel(source, placing, async ({model, device}) => {
		const session = {source, native: source.native, model, tokens: chosen?.keep};
		const layers = layerOptions ? await time('layers', async () => chooseLayers(session, layerOptions, calibration, control)) : null;
		const kept = keptLayers(source.layout.spec.layers, layers?.dropped ?? []);
		const ffn = ffnOptions ? await time('ffn', async () => chooseNeurons(session, ffnOptions, kept, calibration, control)) : null;

		const vocabulary = chosen?.plan ?? null;
		const positions = (layerOptions && layerOptions.positions) || (ffnOptions && ffnOptions.positions) || 'last';
		const stages = await time('stages', async () => measureStages({session, vocabulary, layers, ffn, calibration, evaluation, positions}, control));
		const plan = checkedPlan({
			schemaVersion: planSchemaVersion,
			generator: generator(),
			source: {...describeSource(source), files: {}},
			data: {
				...chosen && {corpus: chosen.corpus},
				...calibration && {calibration: describeSample(calibration)},
				...evaluation && {evaluation: describeSample(evaluation.pruned)},
			},
			...describeDevice(device),
			options: portableOptions(options),
			vocabulary,
			layers,
			ffn,
			stages,
			warnings: [
				...source.checkpoint.leftBehind.length > 0 ? [`Not carried over: ${source.checkpoint.leftBehind.join(', ')}`] : [],
				...passedOver.size > 0 ? [passedOverWarning([...passedOver])] : [],
				...chosen?.warnings ?? [],
				...ffnOptions ? widthWarnings(ffnOptions, source.layout.spec.ffnWidth) : [],
				...calibration ? calibrationWarnings(calibration) : [],
			],
		});
		return {plan, device: measures ? {name: device.name, reason: device.reason} : null};
	});
};

const demandsOf = (model: ModelHandle, {layout}: Source, {layers, ffn, threads}: ResolvedPlanOptions, {calibration, evaluation}: Samples): Omit<Demands, 'compares' | 'tokenizerBytes' | 'counted'> => ({
	model,
	calibration,
	evaluation: evaluation?.original,
	layers: layers && scoresCandidates(layers) ? layout.spec.layers : 0,
	views: ffn ? Math.max(2, candidateStrategies(ffn.strategy).length) : 2,
	threads,
});

const passedOverWarning = (names: readonly string[]): string =>
	`Not UTF-8 and passed over: ${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`;

// What is counted: the corpus, and the calibration texts, so that the model is measured on tokens that stay. Texts that are
// in the corpus already are not counted twice.
const corpusSources = ({corpus, calibration}: ResolvedPlanOptions) => {
	const isPart = corpus && calibration && !calibration.texts && calibration.paths.every(path => corpus.paths.includes(path)) && String(corpus.fields) === String(calibration.fields);
	return [...(corpus ? [corpus] : []), ...(calibration && !isPart ? [sourceOf(calibration)] : [])];
};

const sourceOf = ({maxTexts: _, maxTokens: __, ...source}: NonNullable<ResolvedPlanOptions['calibration']>) => source;

// Not found out after an hour of searching.
const checkSizes = ({layout: {spec}}: Source, {layers, ffn}: ResolvedPlanOptions): void => {
	if (layers) {
		resolveDrop(layers, spec.layers);
	}

	if (ffn) {
		resolveFfnWidth(ffn, spec.ffnWidth);
	}
};

const checkTexts = ({corpus, calibration, vocabulary, layers, ffn}: ResolvedPlanOptions): void => {
	if (!vocabulary && !layers && !ffn) {
		throw badArgument('options', 'something to prune: vocabulary, layers or ffn', 'none of them', 'Give a corpus for the vocabulary, layers to drop, or a width of the FFN (--corpus, --drop-layers, --ffn-width).');
	}

	if (vocabulary && !corpus && !calibration) {
		throw badArgument('corpus', 'texts to count the vocabulary on', undefined, 'Name files or folders with texts like those that the model will see (--corpus).');
	}

	const layersNeed = layers && typeof layers.drop === 'number';
	if (!calibration && (layersNeed || (ffn && needsTexts(ffn)))) {
		throw badArgument('calibration', `texts to measure ${layersNeed ? 'layers' : 'neurons'} on`, undefined, 'Name a file with prompts (--calibration); listed layers and the strategies top, bottom, middle, random and magnitude need none.');
	}
};

type Samples = {readonly calibration?: CalibrationTexts; readonly evaluation?: {readonly original: CalibrationTexts; readonly pruned: CalibrationTexts}};

const readSamples = async (source: Source, files: TokenizerFiles | undefined, chosen: ChosenVocabulary | undefined, {calibration, evaluation}: ResolvedPlanOptions, control: Reading): Promise<Samples> => {
	if (!files) {
		return {};
	}

	const original = originalReader(files, source.layout.spec.vocabulary);
	const reader: Reader = chosen ? prunedReader(chosen.encoder, chosen.keep) : original;
	const held = evaluation && await readSample(original, evaluation, control);
	return {
		...calibration && {calibration: await readSample(reader, calibration, control)},
		...evaluation && {evaluation: {original: held!, pruned: chosen ? await readSample(reader, evaluation, control) : held!}},
	};
};
