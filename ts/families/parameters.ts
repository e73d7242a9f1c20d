import type {Component} from './family.js';
import type {ModelLayout, PlacedTensor} from './layout.js';

/** How much of a model one component is. */
export type ParameterRow = {readonly component: Component; readonly tensors: number; readonly parameters: number; readonly bytes: number};

/** One kind of thing that can be pruned: how many there are, and what each takes. */
export type PrunablePart = {
	/** Tokens of the vocabulary, layers, or neurons of each FFN. */
	readonly count: number;
	/** Parameters that go with one token, with one layer (on average), with one neuron in every layer. */
	readonly parametersEach: number;
	readonly bytesEach: number;
};

/** What a checkpoint consists of. */
export type ParameterTable = {
	/** Components that are there, in the order embedding, head, attention, ffn, norms, other. */
	readonly rows: readonly ParameterRow[];
	readonly total: Omit<ParameterRow, 'component'>;
	readonly tokens: PrunablePart;
	readonly layers: PrunablePart;
	readonly neurons: PrunablePart;
};

/** Counts parameters and bytes by component, and by what could be pruned. A tied head counts once, as embedding. */
export const parameterTable = ({spec, tensors}: ModelLayout): ParameterTable => ({
	rows: components
		.map(component => ({component, ...sum(tensors.filter(tensor => tensor.component === component))}))
		.filter(row => row.tensors > 0),
	total: sum(tensors),
	tokens: prunable(spec.vocabulary, tensors.filter(({axes}) => axes.includes('V'))),
	layers: prunable(spec.layers, tensors.filter(({layer}) => layer !== undefined)),
	neurons: prunable(spec.ffnWidth, tensors.filter(({axes}) => axes.includes('F'))),
});

const components: readonly Component[] = ['embedding', 'head', 'attention', 'ffn', 'norms', 'other'];

const sum = (tensors: readonly PlacedTensor[]): Omit<ParameterRow, 'component'> => ({
	tensors: tensors.length,
	parameters: tensors.reduce((total, {entry}) => total + elements(entry.shape), 0),
	bytes: tensors.reduce((total, {entry}) => total + entry.bytes, 0),
});

const prunable = (count: number, tensors: readonly PlacedTensor[]): PrunablePart => {
	const {parameters, bytes} = sum(tensors);
	return {count, parametersEach: parameters / count, bytesEach: bytes / count};
};

const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
