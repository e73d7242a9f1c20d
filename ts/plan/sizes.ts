import {badArgument} from '../errors.js';

/**
 * Neurons that every layer keeps. A width from 1 is taken as it is; a share below 1 is rounded to the nearest multiple, at least one multiple
 * and at most the full width.
 *
 * @throws ERR_BAD_ARGUMENT if a width from 1 is above the full width, or neither a multiple nor the full width
 */
export const resolveFfnWidth = ({width, multipleOf}: {readonly width: number; readonly multipleOf: number}, fullWidth: number): number => {
	if (width < 1) {
		const multiples = Math.max(1, Math.round(width * fullWidth / multipleOf));
		return Math.min(multiples * multipleOf, fullWidth);
	}

	if (width > fullWidth) {
		throw badArgument('ffn.width', `at most ${fullWidth}, the width of the FFN`, width);
	}

	if (width % multipleOf !== 0 && width !== fullWidth) {
		throw badArgument('ffn.width', `a multiple of ${multipleOf}, or ${fullWidth}, the width of the FFN`, width, alignmentHint(width, multipleOf, fullWidth));
	}

	return width;
};

const alignmentHint = (width: number, multipleOf: number, fullWidth: number): string => {
	const below = Math.floor(width / multipleOf) * multipleOf;
	const nearest = [below, Math.min(below + multipleOf, fullWidth)].filter(candidate => candidate > 0);
	return `The nearest allowed ${nearest.length === 1 ? 'width is' : 'widths are'} ${nearest.join(' and ')}; ffn.multipleOf (--ffn-multiple) 1 allows any.`;
};

/** Layers to drop: how many, and which when they were listed (ascending). */
export type ResolvedDrop = {readonly count: number; readonly list?: readonly number[]};

/** What `layers.drop` means for a checkpoint of so many layers. @throws ERR_BAD_ARGUMENT if no layer would be left, or a listed one does not exist or comes twice */
export const resolveDrop = ({drop}: {readonly drop: number | readonly number[]}, layers: number): ResolvedDrop => {
	if (typeof drop === 'number') {
		return {count: checkedCount(drop, layers)};
	}

	const list = [...drop].sort((a, b) => a - b);
	for (const [place, layer] of list.entries()) {
		if (!Number.isSafeInteger(layer) || layer < 0 || layer >= layers) {
			throw badArgument('layers.drop', `layers from 0 to ${layers - 1}`, layer);
		}

		if (layer === list[place - 1]) {
			throw badArgument('layers.drop', 'every layer once', drop);
		}
	}

	return {count: checkedCount(list.length, layers), list};
};

const checkedCount = (count: number, layers: number): number => {
	if (!Number.isSafeInteger(count) || count < 1 || count >= layers) {
		throw badArgument('layers.drop', layers > 1 ? `1 to ${layers - 1} of ${layers} layers` : 'no layers, as there is only one', count);
	}

	return count;
};
