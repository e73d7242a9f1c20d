import type {Complaint} from './complaints.js';
import {countRanges, rangesComplaint, type Range} from './ranges.js';
import type {Plan} from './schema.js';

/** Where a plan that has the right shape contradicts itself. */
export const contradictions = (plan: Plan): readonly Complaint[] => [...vocabularyContradictions(plan), ...layerContradictions(plan), ...ffnContradictions(plan)];

const vocabularyContradictions = ({vocabulary, source}: Plan): readonly Complaint[] =>
	vocabulary === null
		? []
		: [
			...equal('vocabulary.before', source.config.vocabulary, vocabulary.before),
			...keepContradictions('vocabulary.keep', vocabulary.keep, vocabulary.before, vocabulary.after),
		];

const layerContradictions = ({layers, source}: Plan): readonly Complaint[] => {
	if (layers === null) {
		return [];
	}

	const indices = [...layers.keep, ...layers.dropped].sort((a, b) => a - b);
	const everyLayerOnce = indices.length === layers.before && indices.every((layer, place) => layer === place);
	return [
		...equal('layers.before', source.config.layers, layers.before),
		...equal('number of layers.keep', layers.after, layers.keep.length),
		...(layers.keep.every((layer, place) => place === 0 || layer > layers.keep[place - 1]!) ? [] : [{path: 'layers.keep', expected: 'ascending layers', got: JSON.stringify(layers.keep)}]),
		...(everyLayerOnce ? [] : [{path: 'layers.keep and layers.dropped', expected: `each of ${layers.before} layers once`, got: JSON.stringify(indices)}]),
	];
};

const ffnContradictions = ({ffn, layers, source}: Plan): readonly Complaint[] =>
	ffn === null
		? []
		: [
			...equal('ffn.before', source.config.ffnWidth, ffn.before),
			...equal('number of ffn.keep', layers?.after ?? source.config.layers, ffn.keep.length),
			...ffn.keep.flatMap((ranges, place) => keepContradictions(`ffn.keep.${place}`, ranges, ffn.before, ffn.after)),
		];

const equal = (path: string, expected: number, got: number): readonly Complaint[] =>
	expected === got ? [] : [{path, expected: String(expected), got: String(got)}];

const keepContradictions = (path: string, ranges: readonly Range[], limit: number, count: number): readonly Complaint[] => {
	const complaint = rangesComplaint(ranges, limit, path);
	return complaint ? [complaint] : equal(`number of indices in ${path}`, count, countRanges(ranges));
};
