import type {CalibrationTexts} from '../calibration/encode.js';
import {keptSizes} from '../checkpoint/keep.js';
import type {Keep} from '../checkpoint/keep.js';
import {planOutput} from '../checkpoint/output.js';
import type {ModelView} from '../native/contract.js';
import type {LayerPlan, Stage, FfnPlan, VocabularyPlan} from '../plan/schema.js';
import {keepLists} from '../plan/plan.js';
import {measuredNumber} from '../plan/schema.js';
import type {Control} from '../progress.js';
import {totalBytes} from './samples.js';
import {measure} from './session.js';
import type {Session} from './session.js';

/** What each cut leaves and costs, one after the other. */
export type StagesInput = {
	readonly session: Session;
	readonly vocabulary: VocabularyPlan | null;
	readonly layers: LayerPlan | null;
	readonly ffn: FfnPlan | null;
	/** Calibration texts as the pruned tokenizer reads them. */
	readonly calibration?: CalibrationTexts;
	/** Held-out texts as the original and as the pruned tokenizer read them. */
	readonly evaluation?: {readonly original: CalibrationTexts; readonly pruned: CalibrationTexts};
	readonly positions: 'last' | 'all';
};

/**
 * The table of the run: sizes of the original and after each cut; the divergence from the original on the calibration texts,
 * over the tokens that stay (0 after the vocabulary alone: those logits are the same); the loss on held-out texts per byte, as
 * tokens differ between vocabularies.
 */
export const measureStages = async (input: StagesInput, control: Control): Promise<Stage[]> => {
	const steps = cuts(input);
	const views = steps.filter(({name}) => name === 'layers' || name === 'ffn').map(({keep}): ModelView => ({layers: keep.layers, neurons: keep.neurons}));
	const divergences = await divergencesOf(input, views, control);
	const losses = await lossesOf(input, views, control);
	let view = -1;
	return steps.map(({name, keep}) => {
		view += name === 'layers' || name === 'ffn' ? 1 : 0;
		const loss = name === 'original' ? losses?.original : losses?.pruned[view + 1];
		const divergence = view >= 0 ? divergences?.[view] : input.calibration && 0;
		return {
			name,
			...sizes(input.session, keep),
			divergence: divergence === undefined ? null : measuredNumber(divergence),
			...loss && {lossPerByte: measuredNumber(loss.nats / loss.bytes), lossPerToken: measuredNumber(loss.nats / loss.lossTokens), tokensPerByte: measuredNumber(loss.tokens / loss.bytes)},
		};
	});
};

type Cut = {readonly name: Stage['name']; readonly keep: Keep};

const cuts = ({vocabulary, layers, ffn}: StagesInput): readonly Cut[] => {
	const none = {vocabulary: null, layers: null, ffn: null};
	return [
		{name: 'original', keep: {}},
		...(vocabulary ? [{name: 'vocabulary', keep: keepLists({...none, vocabulary})} as const] : []),
		...(layers ? [{name: 'layers', keep: keepLists({...none, vocabulary, layers})} as const] : []),
		...(ffn ? [{name: 'ffn', keep: keepLists({vocabulary, layers, ffn})} as const] : []),
	];
};

const sizes = ({source: {checkpoint, layout}}: Session, keep: Keep): Pick<Stage, 'vocabulary' | 'layers' | 'ffnWidth' | 'parameters' | 'bytes'> => {
	const {shards, tensorBytes} = planOutput({checkpoint, layout, keep, maxShardBytes: Number.MAX_SAFE_INTEGER});
	const parameters = shards.flatMap(({tensors}) => tensors).reduce((sum, {shape}) => sum + shape.reduce((product, size) => product * size, 1), 0);
	return {...keptSizes(layout, keep), parameters, bytes: tensorBytes};
};

const divergencesOf = async ({session, calibration, positions}: StagesInput, views: readonly ModelView[], control: Control): Promise<Float64Array | undefined> => {
	if (!calibration || views.length === 0) {
		return undefined;
	}

	const {divergence} = await measure(session, {candidates: views, texts: calibration, positions, phase: 'evaluate', detail: 'divergence'}, control);
	return divergence;
};

type Loss = {readonly nats: number; readonly bytes: number; readonly tokens: number; readonly lossTokens: number};

const lossesOf = async ({session, evaluation}: StagesInput, views: readonly ModelView[], control: Control): Promise<{original: Loss; pruned: readonly Loss[]} | undefined> => {
	if (!evaluation) {
		return undefined;
	}

	const {original, pruned} = evaluation;
	const request = {positions: 'last', losses: true, phase: 'evaluate'} as const;
	const before = await measure({...session, tokens: undefined}, {...request, candidates: [], texts: original, detail: 'loss before'}, control);
	const after = await measure(session, {...request, candidates: views, texts: pruned, detail: 'loss after'}, control);
	const loss = (texts: CalibrationTexts, nats: number, lossTokens: number): Loss => ({nats, bytes: totalBytes(texts.bytes), tokens: texts.ids.length, lossTokens});
	return {
		original: loss(original, before.referenceLoss, before.lossTokens),
		pruned: [after.referenceLoss, ...after.loss].map(nats => loss(pruned, nats, after.lossTokens)),
	};
};
