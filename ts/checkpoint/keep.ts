import {FlabError} from '../errors.js';
import type {ModelLayout} from '../families/layout.js';

/** What stays of a model: ascending indices. Absent means all. */
export type Keep = {
	/** Rows of the embedding and of the head. */
	readonly tokens?: Uint32Array;
	/** Layers of the source. */
	readonly layers?: Uint32Array;
	/** Neurons, one list for each KEPT layer, all of the same length: config.json has one number for all layers. */
	readonly neurons?: readonly Uint32Array[];
};

/** The sizes of a model after pruning. */
export type KeptSizes = {readonly vocabulary: number; readonly layers: number; readonly ffnWidth: number};

/**
 * Checks keep lists against a model and returns what they leave of it.
 *
 * @throws `ERR_BAD_PLAN` if a list is empty, not ascending or past the end, or if the neuron lists don't match the layers
 */
export const keptSizes = ({spec}: Pick<ModelLayout, 'spec'>, {tokens, layers, neurons}: Keep): KeptSizes => {
	checkList('tokens', tokens, spec.vocabulary);
	checkList('layers', layers, spec.layers);
	const sizes = {vocabulary: tokens?.length ?? spec.vocabulary, layers: layers?.length ?? spec.layers};
	if (neurons === undefined) {
		return {...sizes, ffnWidth: spec.ffnWidth};
	}

	if (neurons.length !== sizes.layers) {
		throw badPlan(`neurons: expected a list for each of the ${sizes.layers} layers that stay, got ${neurons.length}`);
	}

	const ffnWidth = neurons[0]!.length;
	for (const [place, list] of neurons.entries()) {
		checkList(`neurons of layer ${place} (after pruning)`, list, spec.ffnWidth);
		if (list.length !== ffnWidth) {
			throw badPlan(`neurons: expected the same number in every layer, got ${ffnWidth} in layer 0 and ${list.length} in layer ${place} (after pruning)`);
		}
	}

	return {...sizes, ffnWidth};
};

const checkList = (what: string, list: Uint32Array | undefined, total: number): void => {
	if (list === undefined) {
		return;
	}

	if (list.length === 0) {
		throw badPlan(`${what}: expected at least one to stay, got an empty list`);
	}

	const unordered = list.findIndex((index, place) => place > 0 && index <= list[place - 1]!);
	if (unordered !== -1) {
		throw badPlan(`${what}: expected ascending indices, got ${list[unordered]} after ${list[unordered - 1]}`);
	}

	if (list.at(-1)! >= total) {
		throw badPlan(`${what}: expected indices from 0 to ${total - 1}, got ${list.at(-1)}`);
	}
};

const badPlan = (what: string): FlabError => new FlabError('ERR_BAD_PLAN', what, {hint: 'Make the plan again for this checkpoint.'});
