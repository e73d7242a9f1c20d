import {join} from 'node:path';
import type {CheckpointFiles} from '../checkpoint/read.js';
import type {TensorEntry} from '../checkpoint/safetensors.js';
import {FlabError} from '../errors.js';
import type {ModelSpec} from '../native/contract.js';
import type {Axis, Component, Family, Role, TensorRule} from './family.js';
import {identifyFamily} from './identify.js';
import {readSpec} from './spec.js';

/** A tensor of a checkpoint and what it is to the model. */
export type PlacedTensor = {
	readonly entry: TensorEntry;
	/** Absent for tensors that the family doesn't know: they are copied, whatever their dtype. */
	readonly role?: Role;
	/** The layer that it belongs to, by its name: dropped or renumbered with it. */
	readonly layer?: number;
	/** One for each dimension of the shape; empty for tensors that the family doesn't know. */
	readonly axes: readonly Axis[];
	readonly component: Component;
};

/** A checkpoint, understood. */
export type ModelLayout = {
	readonly family: Family;
	readonly spec: ModelSpec;
	/** Whether embedding and head are one tensor. */
	readonly tied: boolean;
	/** Every tensor, in the order of the checkpoint. */
	readonly tensors: readonly PlacedTensor[];
};

/**
 * Says what each tensor of a checkpoint is, and checks the computed ones against config.json.
 *
 * With `tie_word_embeddings`, one of embedding and head may be missing; if both are stored, each counts, as in
 * transformers 5, which doesn't tie tensors that differ.
 *
 * @throws `ERR_UNKNOWN_FAMILY`, `ERR_BAD_CONFIG`, and `ERR_BAD_FILE` for missing tensors, tensors of layers that don't
 * exist, other shapes than the config says, and dtypes that can't be computed with
 */
export const layoutOf = (checkpoint: Pick<CheckpointFiles, 'dir' | 'config' | 'tensors'>): ModelLayout => {
	const file = join(checkpoint.dir, 'config.json');
	const family = identifyFamily(checkpoint.config, file);
	const spec = readSpec(family, checkpoint.config, file);
	const rules = activeRules(family, checkpoint.config);
	const tensors = [...checkpoint.tensors.values()].map(entry => placeTensor(entry, family, rules));
	const stored = new Set(tensors.map(({role}) => role));
	const isTied = (checkpoint.config['tie_word_embeddings'] ?? family.defaults['tie_word_embeddings']) === true;
	const tied = isTied && stored.has('head') !== stored.has('embedding');
	const needed = [...rules.values()].filter(({role}) => !(tied && (role === 'head' || role === 'embedding')));
	checkMissing(needed, spec, checkpoint, isTied);
	for (const tensor of tensors) {
		checkTensor(tensor, spec);
	}

	return {family, spec, tied, tensors};
};

/** Length of an axis. */
export const axisLength = (axis: Axis, {vocabulary, width, ffnWidth, queryHeads, kvHeads, headWidth}: ModelSpec): number =>
	({V: vocabulary, D: width, F: ffnWidth, HE: queryHeads * headWidth, KE: kvHeads * headWidth, E: headWidth})[axis];

/** The rules that hold for this config, by name. */
const activeRules = ({tensors, defaults}: Family, config: CheckpointFiles['config']): ReadonlyMap<string, TensorRule> =>
	new Map(tensors
		.filter(({when}) => when === undefined || (config[when] ?? defaults[when]) === true)
		.map(rule => [rule.name, rule]));

const placeTensor = (entry: TensorEntry, {layerPrefix}: Family, rules: ReadonlyMap<string, TensorRule>): PlacedTensor => {
	const rest = entry.name.startsWith(layerPrefix) ? entry.name.slice(layerPrefix.length) : '';
	const number = /^(?:0|[1-9]\d{0,8})(?=\.)/.exec(rest)?.[0];
	const rule = rules.get(number === undefined ? entry.name : `${layerPrefix}{layer}${rest.slice(number.length)}`);
	return {
		entry,
		role: rule?.role,
		layer: number === undefined ? undefined : Number(number),
		axes: rule?.axes ?? [],
		component: rule?.component ?? 'other',
	};
};

const checkMissing = (rules: readonly TensorRule[], {layers}: ModelSpec, {dir, tensors}: Pick<CheckpointFiles, 'dir' | 'tensors'>, isTied: boolean): void => {
	const missing = rules
		.flatMap(({name}) => (name.includes('{layer}') ? Array.from({length: layers}, (_, layer) => name.replace('{layer}', String(layer))) : [name]))
		.filter(name => !tensors.has(name));
	if (missing.length > 0) {
		const shown = missing.slice(0, 5).map(name => JSON.stringify(name)).join(', ');
		throw new FlabError('ERR_BAD_FILE', `${dir}: lacks ${missing.length} of the tensors that config.json promises: ${shown}${missing.length > 5 ? ', ...' : ''}`, {
			file: dir,
			tensor: missing[0],
			hint: missing.includes('lm_head.weight') && !isTied
				? 'If embedding and head share one tensor, config.json must say "tie_word_embeddings": true.'
				: 'Check that every shard is there, and that config.json belongs to these weights.',
		});
	}
};

const computeDtypes: readonly string[] = ['F32', 'F16', 'BF16'];

const checkTensor = ({entry, role, layer, axes}: PlacedTensor, spec: ModelSpec): void => {
	const {name, path, shape, dtype} = entry;
	const refuse = (what: string, hint = 'Check that config.json belongs to these weights.'): never => {
		throw new FlabError('ERR_BAD_FILE', `${path}: "${name}" ${what}`, {file: path, tensor: name, hint});
	};

	if (layer !== undefined && layer >= spec.layers) {
		refuse(`belongs to layer ${layer}, expected layers 0 to ${spec.layers - 1} as config.json says`);
	}

	const expected = axes.map(axis => axisLength(axis, spec));
	if (role !== undefined && (shape.length !== expected.length || shape.some((size, index) => size !== expected[index]))) {
		refuse(`has the shape [${shape.join(', ')}], expected [${expected.join(', ')}] as config.json says`);
	}

	if (role !== undefined && !computeDtypes.includes(dtype)) {
		refuse(`has the dtype ${dtype}, expected one of ${computeDtypes.join(', ')}: the decoder computes with it`, 'Convert the weights to BF16, F16 or F32: load the model with transformers in one of these dtypes and call save_pretrained.');
	}
};
