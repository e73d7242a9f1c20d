import type {NativeLayer} from '../native/contract.js';

/**
 * A dimension of a tensor: V vocabulary, D model width, F FFN width, HE all query heads' widths together, KE all key/value
 * heads' widths together, E the width of one head.
 */
export type Axis = 'V' | 'D' | 'F' | 'HE' | 'KE' | 'E';

/** What a tensor is to the decoder. */
export type Role = 'embedding' | 'finalNorm' | 'head' | keyof NativeLayer;

/** Parts of a model that are counted together. */
export type Component = 'embedding' | 'head' | 'attention' | 'ffn' | 'norms' | 'other';

/** One kind of tensor of a family. */
export type TensorRule = {
	readonly role: Role;
	/** Name in the checkpoint, with "{layer}" for the layer's number in tensors that each layer has. */
	readonly name: string;
	/** Rows, then columns. */
	readonly axes: readonly Axis[];
	readonly component: Component;
	/** Present only if this key of config.json is true. */
	readonly when?: string;
};

/** How the attention window of a layer follows from config.json. */
export type WindowRule =
	/** No layer has one. */
	| 'none'
	/** Every layer has `sliding_window`. */
	| 'every-layer'
	/** With `use_sliding_window`, the layers that `layer_types` calls "sliding_attention", or without the list those from `max_window_layers` on. */
	| 'by-layer-type';

/** A model family: everything that differs between the architectures, as data. */
export type Family = {
	/** Also the `model_type` in config.json. */
	readonly name: string;
	/** Name in `architectures`. */
	readonly architecture: string;
	readonly tensors: readonly TensorRule[];
	/** What names of tensors of a layer start with. */
	readonly layerPrefix: string;
	/** Keys of config.json that must be there. */
	readonly requiredKeys: readonly string[];
	/** Keys that tell this family from the others where `model_type` is missing. */
	readonly typicalKeys: readonly string[];
	/** Values of absent keys, as the family's configuration class of transformers 5 has them. */
	readonly defaults: Readonly<Record<string, unknown>>;
	readonly windows: WindowRule;
	/** Keys whose lists have an element for each layer. */
	readonly perLayerLists: readonly string[];
	/** Keys that hold the number of a layer as a boundary between kinds of layers. */
	readonly layerBoundaries: readonly string[];
	/** Keys that hold V, F and the number of layers. */
	readonly sizeKeys: {readonly vocabulary: string; readonly ffnWidth: string; readonly layers: string};
};
