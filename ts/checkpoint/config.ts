import type {Family} from '../families/family.js';
import type {ModelLayout} from '../families/layout.js';
import type {JsonObject} from './json.js';
import {keptSizes, type Keep} from './keep.js';

/**
 * config.json of the pruned model: the sizes, the lists with an element for each layer, and the boundaries between kinds of
 * layers follow the keep lists; everything else, the order of the keys included, stays. Token ids are not touched here.
 *
 * A boundary says "layers before this one": it becomes the number of kept layers before it, so that each layer keeps its kind.
 *
 * @throws `ERR_BAD_PLAN` if the keep lists don't fit the model
 */
export const pruneConfig = (config: JsonObject, layout: Pick<ModelLayout, 'family' | 'spec'>, keep: Keep): JsonObject => {
	const {family, spec} = layout;
	const {vocabulary, layers, ffnWidth} = keptSizes(layout, keep);
	const {sizeKeys} = family;
	return {
		...config,
		[sizeKeys.vocabulary]: vocabulary,
		[sizeKeys.layers]: layers,
		[sizeKeys.ffnWidth]: ffnWidth,
		...(layers === spec.layers ? {} : layerKeys(config, family, keep.layers!)),
	};
};

const layerKeys = (config: JsonObject, {perLayerLists, layerBoundaries, defaults}: Family, kept: Uint32Array): JsonObject => {
	const lists = perLayerLists
		.filter(key => Array.isArray(config[key]))
		.map(key => [key, [...kept].map(layer => (config[key] as readonly unknown[])[layer])] as const);
	// A boundary that isn't stated counts with its default, unless a list says it layer by layer: it has to be stated now.
	const isDefaultInUse = config['use_sliding_window'] === true && lists.length === 0;
	const boundaries = layerBoundaries
		.map(key => [key, config[key] ?? (isDefaultInUse ? defaults[key] : undefined)] as const)
		.filter((entry): entry is readonly [string, number] => typeof entry[1] === 'number')
		.map(([key, boundary]) => [key, kept.filter(layer => layer < boundary).length] as const);
	return Object.fromEntries([...lists, ...boundaries]);
};
