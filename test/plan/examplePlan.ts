import type {Plan} from '../../ts/plan/schema.js';

const hash = (digit: string): string => digit.repeat(64);

/** A plan with every part: 10 of 12 tokens, 3 of 4 layers, 4 of 8 neurons. */
export const examplePlan = (): Plan => ({
	schemaVersion: 1,
	generator: {name: 'flab-pruner', version: '0.1.0'},
	source: {
		family: 'qwen2',
		config: {layers: 4, width: 16, ffnWidth: 8, vocabulary: 12, tied: false, dtypes: ['BF16']},
		files: {'model.safetensors': {bytes: 1000, sha256: hash('a')}, 'config.json': {bytes: 500, sha256: hash('b')}},
	},
	data: {
		corpus: {files: 2, texts: 30, bytes: 4000, tokens: 1200, sha256: hash('c')},
		calibration: {texts: 8, tokens: 300, sha256: hash('d')},
		evaluation: {texts: 4, tokens: 200, bytes: 700, sha256: hash('e')},
	},
	options: {
		model: 'tiny',
		corpus: {paths: ['corpus.jsonl']},
		calibration: {paths: ['calibration.jsonl'], maxTexts: 128, maxTokens: 512},
		vocabulary: {select: 'used', multipleOf: 2},
		layers: {drop: 1, metric: 'kl', positions: 'last', search: 'greedy'},
		ffn: {width: 0.5, strategy: 'auto', multipleOf: 4, seed: 0, positions: 'last'},
		compute: 'auto',
	},
	vocabulary: {
		before: 12,
		after: 10,
		keep: [[0, 4], [5, 11]],
		selection: {select: 'used', multipleOf: 2},
		reasons: {used: 7, special: 2, closure: 1},
		counts: {usedTokens: 7, coverage: 0.995},
		proof: {texts: 30, differing: 0, tokenizer: 'BPE'},
	},
	layers: {
		before: 4,
		after: 3,
		keep: [0, 1, 3],
		dropped: [2],
		metric: 'kl',
		positions: 'last',
		search: 'greedy',
		steps: [{
			dropped: [2],
			scores: [
				{layer: 0, score: null, divergence: null},
				{layer: 1, score: 0.0123, divergence: 0.0123, blockInfluence: 0.4},
				{layer: 2, score: 0.00045, divergence: 0.00045, blockInfluence: 0.1},
				{layer: 3, score: 0.3, divergence: 0.3, blockInfluence: 0.2},
			],
		}],
	},
	ffn: {
		before: 8,
		after: 4,
		strategy: 'wanda',
		positions: 'last',
		keep: [[[0, 4]], [[0, 2], [6, 8]], [[1, 2], [3, 4], [5, 6], [7, 8]]],
		candidates: [{strategy: 'top', divergence: 0.02}, {strategy: 'wanda', divergence: 0.01}],
		scoreSummary: [0, 1, 3].map(layer => ({layer, minKept: 0.5, meanKept: 0.75, maxDropped: 0.4, meanDropped: 0.2, shareKept: 0.8})),
	},
	stages: [
		{name: 'original', vocabulary: 12, layers: 4, ffnWidth: 8, parameters: 134_515_008, bytes: 269_060_552, divergence: null, lossPerByte: 0.8, lossPerToken: 2.4, tokensPerByte: 0.3},
		{name: 'vocabulary', vocabulary: 10, layers: 4, ffnWidth: 8, parameters: 112_000_000, bytes: 224_000_000, divergence: 0, lossPerByte: 0.78, lossPerToken: 2.3, tokensPerByte: 0.3},
		{name: 'ffn', vocabulary: 10, layers: 3, ffnWidth: 4, parameters: 98_000_000, bytes: 196_000_000, divergence: 0.00045, lossPerByte: 0.84},
	],
	warnings: ['All calibration texts end in the same token'],
});

/** The same with a race for the layer. */
export const racingPlan = (): Plan => {
	const plan = examplePlan();
	const layers = plan.layers!;
	const steps = layers.steps.map(({dropped, scores}) => ({dropped, scores: scores.map((score, place) => ({...score, texts: [8, 1200, 1200, 64][place]!})), tokenLayers: 18_300_000, tokenLayersFull: 61_200_000}));
	return {...plan, layers: {...layers, search: 'racing', steps}};
};
