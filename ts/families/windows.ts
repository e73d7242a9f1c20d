import {describe} from '../errors.js';
import type {Family, WindowRule} from './family.js';
import {badConfig, type ConfigValues} from './values.js';

/**
 * [L] attention window of each layer in tokens, 0 for none.
 *
 * A window of w means the token itself and the w - 1 before it: the mask of transformers keeps `key > query - w`
 * (`sliding_window_overlay` in masking_utils.py), which is also what the decoder's windows mean.
 *
 * @throws `ERR_BAD_CONFIG`
 */
export const attentionWindows = (family: Family, values: ConfigValues): Int32Array => {
	const layers = new Int32Array(values.num_hidden_layers);
	return windowsOf[family.windows](values, layers);
};

const windowsOf: Readonly<Record<WindowRule, (values: ConfigValues, layers: Int32Array) => Int32Array>> = {
	none: (_, layers) => layers,
	'every-layer': ({sliding_window: window}, layers) => layers.fill(window ?? 0),
	'by-layer-type': (values, layers) => layers.map((_, layer) => windowByType(values, layer)),
};

const windowByType = ({use_sliding_window: isUsed, sliding_window: stated, max_window_layers: boundary, layer_types: types}: ConfigValues, layer: number): number => {
	const window = isUsed ? stated : null;
	const type = types?.[layer] ?? (window !== null && layer >= boundary ? 'sliding_attention' : 'full_attention');
	if (type === 'full_attention') {
		return 0;
	}

	if (type !== 'sliding_attention') {
		throw badConfig(`layer_types: expected full_attention or sliding_attention, got ${describe(type)} for layer ${layer}`);
	}

	if (window === null) {
		throw badConfig(`layer_types: layer ${layer} is called sliding_attention, but ${isUsed ? 'sliding_window is null' : 'use_sliding_window is false'}`);
	}

	return window;
};
