// The values that options may take and their defaults: plain constants, so that the CLI's help needs nothing else.

export const textFormats = ['auto', 'jsonl', 'csv', 'parquet', 'text'] as const;
export type TextFormat = (typeof textFormats)[number];

/** How the tokens to keep are selected: used at all, used at least n times, the n most used, or the most used that cover a share of the corpus. */
export const vocabularySelections = ['used', 'min-count', 'top', 'coverage'] as const;
export type SelectionKind = (typeof vocabularySelections)[number];

/** What a layer is judged by: divergence of the logits, Block Influence over all or last tokens, angular distance of blocks, next-token loss. */
export const layerMetrics = ['kl', 'bi', 'bi-last', 'angular', 'perplexity'] as const;
export type LayerMetric = (typeof layerMetrics)[number];

/** `greedy`: score again after every dropped layer; `one-shot`: score once; `racing`: greedy, with candidates that can't win given up early. */
export const layerSearches = ['greedy', 'one-shot', 'racing'] as const;
export type LayerSearch = (typeof layerSearches)[number];

export const positionChoices = ['last', 'all'] as const;

/** Neurons kept by their place in the layer. */
export const positionalStrategies = ['top', 'bottom', 'middle', 'random'] as const;
export type PositionalStrategy = (typeof positionalStrategies)[number];

/** Neurons kept by a score. */
export const rankedStrategies = ['magnitude', 'activation', 'wanda', 'fluctuation'] as const;
export type RankedStrategy = (typeof rankedStrategies)[number];

/** One way to choose neurons. */
export const neuronStrategies = [...positionalStrategies, ...rankedStrategies] as const;
export type NeuronStrategy = (typeof neuronStrategies)[number];

/** What may be asked for: one strategy, or `auto`, the one with the smallest divergence on the calibration texts. */
export const ffnStrategies = [...neuronStrategies, 'auto'] as const;
export type FfnStrategy = (typeof ffnStrategies)[number];

/** What a model runs on, where devices have no numbers yet. */
export const deviceChoices = ['auto', 'cpu', 'cuda'] as const;

export const computeChoices = ['auto', 'f32', 'bf16'] as const;

/** Values of the options that are not given. */
export const defaults = {
	calibration: {maxTexts: 128, maxTokens: 512},
	evaluation: {maxTexts: 256, maxTokens: 1024},
	vocabulary: {select: 'used', multipleOf: 64},
	layers: {metric: 'kl', positions: 'last', search: 'greedy'},
	ffn: {strategy: 'auto', multipleOf: 64, seed: 0, positions: 'last'},
	compute: 'auto',
	device: 'auto',
	maxShardBytes: 5_000_000_000,
	force: false,
	verify: true,
} as const;
