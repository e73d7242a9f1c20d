import {FlabError, badArgument} from '../errors.js';

type WidthChoice = {readonly width: number; readonly multipleOf: number};

/**
 * Neurons that every layer keeps. A width from 1 is taken as it is; a share below 1 is rounded to the nearest multiple, at least one.
 *
 * @throws ERR_BAD_ARGUMENT if nothing would be cut, or a width from 1 is no multiple
 */
export const resolveFfnWidth = ({width, multipleOf}: WidthChoice, fullWidth: number): number => {
	const kept = width < 1 ? Math.max(1, Math.round(width * fullWidth / multipleOf)) * multipleOf : width;
	if (kept >= fullWidth) {
		const rounded = width < 1 ? `, which is all of them in multiples of ${multipleOf}` : '';
		throw new FlabError('ERR_BAD_ARGUMENT', `ffn.width: expected fewer neurons than the ${fullWidth} that there are, got ${width}${rounded}`, {hint: alignmentHint(fullWidth, multipleOf, fullWidth)});
	}

	if (kept % multipleOf !== 0) {
		throw badArgument('ffn.width', `a multiple of ${multipleOf}`, width, alignmentHint(width, multipleOf, fullWidth));
	}

	return kept;
};

/** What a reader should know of a share that is far from what is kept: more than a tenth of it. */
export const widthWarnings = (choice: WidthChoice, fullWidth: number): readonly string[] => {
	const kept = resolveFfnWidth(choice, fullWidth);
	const asked = choice.width * fullWidth;
	return choice.width < 1 && Math.abs(kept - asked) > asked / 10
		? [`FFN: a share of ${choice.width} of ${fullWidth} neurons is ${Math.round(asked)}; ${kept} are kept (${(100 * kept / fullWidth).toFixed(1)} %), the nearest multiple of ${choice.multipleOf}`]
		: [];
};

const alignmentHint = (width: number, multipleOf: number, fullWidth: number): string => {
	const below = Math.floor(Math.min(width, fullWidth - 1) / multipleOf) * multipleOf;
	const nearest = [below, below + multipleOf].filter(candidate => candidate > 0 && candidate < fullWidth);
	const widths = nearest.length === 0 ? '' : `The nearest allowed ${nearest.length === 1 ? 'width is' : 'widths are'} ${nearest.join(' and ')}; `;
	return `${widths}ffn.multipleOf (--ffn-multiple) 1 allows any.`;
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
