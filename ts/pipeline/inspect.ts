import {FlabError} from '../errors.js';
import {layoutOf} from '../families/layout.js';
import {parameterTable} from '../families/parameters.js';
import {readCheckpoint} from '../checkpoint/read.js';
import {resolveInspectOptions} from '../plan/options.js';
import type {InspectOptions} from '../plan/options.js';
import {checkControl} from '../progress.js';
import type {Control} from '../progress.js';
import type {Inspection} from '../report/inspection.js';
import {readTokenizer} from '../tokenizer/files.js';
import {dtypesOf} from './source.js';

/**
 * Says what a checkpoint is: family, sizes, parameters and bytes by component, and what could be pruned. Reads headers only.
 *
 * @throws FlabError: ERR_READ, ERR_BAD_FILE, ERR_BAD_CONFIG, ERR_UNKNOWN_FAMILY
 */
export const inspect = async (options: InspectOptions, control: Control = {}): Promise<Inspection> => {
	checkControl(control);
	const {model} = resolveInspectOptions(options);
	const checkpoint = await readCheckpoint(model);
	const layout = layoutOf(checkpoint);
	const {spec, family, tied} = layout;
	const {rows, total, tokens, layers, neurons} = parameterTable(layout);
	const tokenizer = await inspectTokenizer(checkpoint.dir);
	return {
		family: family.name,
		dir: model,
		dtypes: dtypesOf(layout),
		layers: spec.layers,
		width: spec.width,
		ffnWidth: spec.ffnWidth,
		queryHeads: spec.queryHeads,
		kvHeads: spec.kvHeads,
		headWidth: spec.headWidth,
		vocabulary: spec.vocabulary,
		tied,
		parameters: total.parameters,
		bytes: total.bytes,
		components: rows.map(({component, parameters, bytes}) => ({name: component, parameters, bytes, share: parameters / total.parameters})),
		...tokenizer && {tokenizer},
		prunable: {
			vocabulary: {tokens: tokens.count, parametersPerToken: tokens.parametersEach, bytesPerToken: tokens.bytesEach},
			layers: {count: layers.count, parametersPerLayer: layers.parametersEach, bytesPerLayer: layers.bytesEach},
			ffn: {width: neurons.count, parametersPerNeuron: neurons.parametersEach, bytesPerNeuron: neurons.bytesEach},
		},
	};
};

// A checkpoint without a tokenizer that can be pruned is still a checkpoint.
const inspectTokenizer = async (dir: string): Promise<Inspection['tokenizer']> => {
	try {
		const {model} = await readTokenizer(dir);
		return {kind: model.kind, tokens: model.tokens.filter(token => token !== undefined).length, addedTokens: model.added.length, merges: model.merges.length};
	} catch (error) {
		if (error instanceof FlabError && error.code === 'ERR_BAD_TOKENIZER') {
			return undefined;
		}

		throw error;
	}
};
