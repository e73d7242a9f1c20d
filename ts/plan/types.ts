// Made from the schemas by `npm run generate`: change those.

import type {GivenTexts, RepeatableTexts, TextItem, TextStream} from './texts.js';

/** What `plan` takes. */
export type PlanOptions = {
	/** In a file with options: the address of its JSON schema, for editors. It has no effect. */
	readonly $schema?: string;
	/** Folder of the checkpoint. */
	readonly model: string;
	/** Texts that the vocabulary is counted on. Calibration texts are always counted too. */
	readonly corpus?: TextSource;
	/** Texts that candidates are compared with the reference on. */
	readonly calibration?: SampleSource;
	/** Held-out texts: the loss on them is measured before and after, in nats per byte. */
	readonly evaluation?: SampleSource;
	/** How the vocabulary is pruned. Without it: `{select: 'used'}` when there is a corpus, else not at all. */
	readonly vocabulary?: false | {
		/**
		 * Tokens that stay: `used`: all that the texts use; `min-count`: those used at least `minCount` times; `top`: the `top` most used;
		 * `coverage`: the most used that make up `coverage` of the texts' tokens. Bytes, special tokens and what merges pass through stay always. Default: 'used'.
		 */
		readonly select?: 'used' | 'min-count' | 'top' | 'coverage';
		/** For 'min-count': occurrences that a token needs to stay. */
		readonly minCount?: number;
		/** For 'top': number of most frequent tokens that stay. */
		readonly top?: number;
		/** For 'coverage': share of the corpus's tokens that the kept ones make up, above 0, at most 1. */
		readonly coverage?: number;
		/** The size is rounded up to a multiple of this by keeping the next most frequent tokens. Default: 64. */
		readonly multipleOf?: number;
	};
	/** Which layers are dropped. Default: false. */
	readonly layers?: false | {
		/** How many layers to drop, or which (from 0). */
		readonly drop: number | readonly number[];
		/**
		 * What a layer is judged by: `kl`: the divergence of the logits without it (Flab-Pruner, arXiv 2412.15921); `bi`, `bi-last`: block
		 * influence over all or the last tokens (ShortGPT, arXiv 2403.03853); `angular`: the angle between its input and output (arXiv 2403.17887);
		 * `perplexity`: the next-token loss without it. Default: 'kl'.
		 */
		readonly metric?: 'kl' | 'bi' | 'bi-last' | 'angular' | 'perplexity';
		/** Tokens of each text that the divergence is taken at: the `last`, which costs least, or `all`. Default: 'last'. */
		readonly positions?: 'last' | 'all';
		/** `greedy`: score again after every dropped layer; `one-shot`: score once; `racing`: greedy by `kl`, with candidates that can't win given up early. Default: 'greedy'. */
		readonly search?: 'greedy' | 'one-shot' | 'racing';
	};
	/** Which neurons of the FFNs are kept. Default: false. */
	readonly ffn?: false | {
		/** From 1: neurons to keep in every layer. Below 1: the share to keep, rounded to the nearest multiple. */
		readonly width: number;
		/**
		 * Neurons that stay: by place (`top`, `bottom`, `middle`, `random`), by weights (`magnitude`), by activations on the calibration texts
		 * (`activation`; `wanda`, arXiv 2306.11695; `fluctuation`: FLAP, arXiv 2312.11983), or `auto`: whichever of these has the smallest divergence. Default: 'auto'.
		 */
		readonly strategy?: 'top' | 'bottom' | 'middle' | 'random' | 'magnitude' | 'activation' | 'wanda' | 'fluctuation' | 'auto';
		/** The width must be a multiple of this. Default: 64. */
		readonly multipleOf?: number;
		/** For 'random'. Default: 0. */
		readonly seed?: number;
		/** Tokens of each text that the divergence is taken at. Default: 'last'. */
		readonly positions?: 'last' | 'all';
	};
	/** How products are computed; `auto` is bf16 for bf16 weights and f32 for others. Default: 'auto'. */
	readonly compute?: 'auto' | 'f32' | 'bf16';
	/** What the model runs on: `auto`: the first GPU that can be used and has room, else the CPU; `cpu`; `cuda` or `cuda:N`: the GPU of that number (0), or an error that says why not. Verification always runs on the CPU, exactly. Default: 'auto'. */
	readonly device?: string;
	/** Bytes of the GPU's memory that this run may take. Without it: all that is free. */
	readonly maxDeviceMemory?: number;
	/** Threads that this run may take of the pool, which all runs of a process share. Without it: as many as the machine grants (affinity, cgroup, FLAB_THREADS). */
	readonly threads?: number;
	/** Bytes of resident memory that this run keeps the process below; too few are refused before anything long is done. Without it nothing is checked beforehand, and each computation takes at most half of the memory that is available when it begins. */
	readonly maxMemory?: number;
};

/** Texts that are read more than once: files and folders, or texts of your own that are the same each time. */
export type TextSource = string | readonly string[] | (() => TextStream | Promise<TextStream>) | {
	/** Files and folders of UTF-8 text. A file that is none is refused; in a folder it is passed over, with a warning where it may be a text. */
	readonly paths?: readonly string[];
	/** Texts of your own instead of files; given the same each time. */
	readonly texts?: RepeatableTexts;
	/** Fields of a record that hold its text, joined in this order. Without it: the first present of text, content, code, prompt. */
	readonly fields?: readonly string[];
	/** Files of a folder that are read, by the end of their name. Without it: those of source code, or of records where there are none. */
	readonly extensions?: readonly string[];
	/** How the files are read; `auto`, which is also the default, goes by their names. */
	readonly format?: 'auto' | 'jsonl' | 'csv' | 'parquet' | 'text';
};

/** A sample of texts with limits, how many and how many tokens of each: from files and folders, or your own. */
export type SampleSource = string | readonly string[] | AsyncIterable<TextItem> | (() => TextStream | Promise<TextStream>) | {
	/** Files and folders of UTF-8 text. A file that is none is refused; in a folder it is passed over, with a warning where it may be a text. */
	readonly paths?: readonly string[];
	/** Texts of your own instead of files: the first `maxTexts` are asked for, once. */
	readonly texts?: GivenTexts;
	/** Fields of a record that hold its text, joined in this order. Without it: the first present of text, content, code, prompt. */
	readonly fields?: readonly string[];
	/** Files of a folder that are read, by the end of their name. Without it: those of source code, or of records where there are none. */
	readonly extensions?: readonly string[];
	/** How the files are read; `auto`, which is also the default, goes by their names. */
	readonly format?: 'auto' | 'jsonl' | 'csv' | 'parquet' | 'text';
	/** Texts that are taken. Default: 128. */
	readonly maxTexts?: number;
	/** Tokens at which a text is cut off. Default: 512. */
	readonly maxTokens?: number;
};

/** What `prune` takes. */
export type PruneOptions = {
	/** In a file with options: the address of its JSON schema, for editors. It has no effect. */
	readonly $schema?: string;
	/** Folder of the checkpoint. */
	readonly model: string;
	/** Texts that the vocabulary is counted on. Calibration texts are always counted too. */
	readonly corpus?: TextSource;
	/** Texts that candidates are compared with the reference on. */
	readonly calibration?: SampleSource;
	/** Held-out texts: the loss on them is measured before and after, in nats per byte. */
	readonly evaluation?: SampleSource;
	/** How the vocabulary is pruned. Without it: `{select: 'used'}` when there is a corpus, else not at all. */
	readonly vocabulary?: false | {
		/**
		 * Tokens that stay: `used`: all that the texts use; `min-count`: those used at least `minCount` times; `top`: the `top` most used;
		 * `coverage`: the most used that make up `coverage` of the texts' tokens. Bytes, special tokens and what merges pass through stay always. Default: 'used'.
		 */
		readonly select?: 'used' | 'min-count' | 'top' | 'coverage';
		/** For 'min-count': occurrences that a token needs to stay. */
		readonly minCount?: number;
		/** For 'top': number of most frequent tokens that stay. */
		readonly top?: number;
		/** For 'coverage': share of the corpus's tokens that the kept ones make up, above 0, at most 1. */
		readonly coverage?: number;
		/** The size is rounded up to a multiple of this by keeping the next most frequent tokens. Default: 64. */
		readonly multipleOf?: number;
	};
	/** Which layers are dropped. Default: false. */
	readonly layers?: false | {
		/** How many layers to drop, or which (from 0). */
		readonly drop: number | readonly number[];
		/**
		 * What a layer is judged by: `kl`: the divergence of the logits without it (Flab-Pruner, arXiv 2412.15921); `bi`, `bi-last`: block
		 * influence over all or the last tokens (ShortGPT, arXiv 2403.03853); `angular`: the angle between its input and output (arXiv 2403.17887);
		 * `perplexity`: the next-token loss without it. Default: 'kl'.
		 */
		readonly metric?: 'kl' | 'bi' | 'bi-last' | 'angular' | 'perplexity';
		/** Tokens of each text that the divergence is taken at: the `last`, which costs least, or `all`. Default: 'last'. */
		readonly positions?: 'last' | 'all';
		/** `greedy`: score again after every dropped layer; `one-shot`: score once; `racing`: greedy by `kl`, with candidates that can't win given up early. Default: 'greedy'. */
		readonly search?: 'greedy' | 'one-shot' | 'racing';
	};
	/** Which neurons of the FFNs are kept. Default: false. */
	readonly ffn?: false | {
		/** From 1: neurons to keep in every layer. Below 1: the share to keep, rounded to the nearest multiple. */
		readonly width: number;
		/**
		 * Neurons that stay: by place (`top`, `bottom`, `middle`, `random`), by weights (`magnitude`), by activations on the calibration texts
		 * (`activation`; `wanda`, arXiv 2306.11695; `fluctuation`: FLAP, arXiv 2312.11983), or `auto`: whichever of these has the smallest divergence. Default: 'auto'.
		 */
		readonly strategy?: 'top' | 'bottom' | 'middle' | 'random' | 'magnitude' | 'activation' | 'wanda' | 'fluctuation' | 'auto';
		/** The width must be a multiple of this. Default: 64. */
		readonly multipleOf?: number;
		/** For 'random'. Default: 0. */
		readonly seed?: number;
		/** Tokens of each text that the divergence is taken at. Default: 'last'. */
		readonly positions?: 'last' | 'all';
	};
	/** How products are computed; `auto` is bf16 for bf16 weights and f32 for others. Default: 'auto'. */
	readonly compute?: 'auto' | 'f32' | 'bf16';
	/** What the model runs on: `auto`: the first GPU that can be used and has room, else the CPU; `cpu`; `cuda` or `cuda:N`: the GPU of that number (0), or an error that says why not. Verification always runs on the CPU, exactly. Default: 'auto'. */
	readonly device?: string;
	/** Bytes of the GPU's memory that this run may take. Without it: all that is free. */
	readonly maxDeviceMemory?: number;
	/** Threads that this run may take of the pool, which all runs of a process share. Without it: as many as the machine grants (affinity, cgroup, FLAB_THREADS). */
	readonly threads?: number;
	/** Bytes of resident memory that this run keeps the process below; too few are refused before anything long is done. Without it nothing is checked beforehand, and each computation takes at most half of the memory that is available when it begins. */
	readonly maxMemory?: number;
	/** Folder to write; it must not exist. */
	readonly out: string;
	/** Replace `out` if it is an empty folder or a checkpoint. Default: false. */
	readonly force?: boolean;
	/** Largest size of a weight file in bytes; a single larger tensor gets a file of its own. Default: 5000000000. */
	readonly maxShardBytes?: number;
	/** Reopen the output before it is published and compare its logits with the masked original. Default: true. */
	readonly verify?: boolean;
};

/** What `apply` takes. */
export type ApplyOptions = {
	/** In a file with options: the address of its JSON schema, for editors. It has no effect. */
	readonly $schema?: string;
	/** Folder of the checkpoint. */
	readonly model: string;
	/** The plan, or the path of its JSON file. */
	readonly plan: string | Plan;
	/** Texts that the output is verified on. Without it: a fixed sample of token ids. */
	readonly calibration?: SampleSource;
	/** Threads that this run may take of the pool, which all runs of a process share. Without it: as many as the machine grants (affinity, cgroup, FLAB_THREADS). */
	readonly threads?: number;
	/** Bytes of resident memory that this run keeps the process below; too few are refused before anything long is done. Without it nothing is checked beforehand, and each computation takes at most half of the memory that is available when it begins. */
	readonly maxMemory?: number;
	/** Folder to write; it must not exist. */
	readonly out: string;
	/** Replace `out` if it is an empty folder or a checkpoint. Default: false. */
	readonly force?: boolean;
	/** Largest size of a weight file in bytes; a single larger tensor gets a file of its own. Default: 5000000000. */
	readonly maxShardBytes?: number;
	/** Reopen the output before it is published and compare its logits with the masked original. Default: true. */
	readonly verify?: boolean;
};

/** What `inspect` takes. */
export type InspectOptions = {
	/** In a file with options: the address of its JSON schema, for editors. It has no effect. */
	readonly $schema?: string;
	/** Folder of the checkpoint. */
	readonly model: string;
};

/** What stays of a checkpoint and why: made by the search, carried out by `apply`. A JSON value without time stamps and paths, so that equal inputs give equal plans. */
export type Plan = {
	readonly schemaVersion: 1;
	readonly generator: {
		readonly name: string;
		readonly version: string;
	};
	/** The checkpoint that it is for. */
	readonly source: PlanSource;
	/** The texts that it was decided on. */
	readonly data: {
		readonly corpus?: {
			readonly files: number;
			readonly texts: number;
			readonly bytes: number;
			readonly tokens: number;
			readonly sha256: string;
		};
		/** `sha256` is of the token ids. */
		readonly calibration?: {
			readonly texts: number;
			readonly tokens: number;
			readonly bytes?: number;
			readonly sha256: string;
		};
		readonly evaluation?: {
			readonly texts: number;
			readonly tokens: number;
			readonly bytes?: number;
			readonly sha256: string;
		};
	};
	/** The GPU that the numbers were computed on; absent: the CPU. */
	readonly device?: {
		/** Such as 'NVIDIA H100 80GB HBM3'. */
		readonly name: string;
		/** What computed matrix products: cuBLASLt with its version, or why it was not used. */
		readonly products: string;
	};
	/** What was asked for, every default filled in; paths without their folders. */
	readonly options: {
		/** Folder of the checkpoint. */
		readonly model: string;
		/** Texts that the vocabulary is counted on. Calibration texts are always counted too. */
		readonly corpus?: {
			/** Files and folders, without the folders that they lie in. */
			readonly paths: readonly string[];
			/** Fields of a record that hold its text, joined in this order. Without it: the first present of text, content, code, prompt. */
			readonly fields?: readonly string[];
			/** Files of a folder that are read, by the end of their name. Without it: those of source code, or of records where there are none. */
			readonly extensions?: readonly string[];
			/** How the files are read; `auto`, which is also the default, goes by their names. */
			readonly format?: 'auto' | 'jsonl' | 'csv' | 'parquet' | 'text';
		} | {
			/** The caller gave the texts. */
			readonly texts: 'given';
		};
		/** Texts that candidates are compared with the reference on. */
		readonly calibration?: {
			/** Files and folders, without the folders that they lie in. */
			readonly paths: readonly string[];
			/** Fields of a record that hold its text, joined in this order. Without it: the first present of text, content, code, prompt. */
			readonly fields?: readonly string[];
			/** Files of a folder that are read, by the end of their name. Without it: those of source code, or of records where there are none. */
			readonly extensions?: readonly string[];
			/** How the files are read; `auto`, which is also the default, goes by their names. */
			readonly format?: 'auto' | 'jsonl' | 'csv' | 'parquet' | 'text';
			/** Texts that are taken. */
			readonly maxTexts: number;
			/** Tokens at which a text is cut off. */
			readonly maxTokens: number;
		} | {
			/** The caller gave the texts. */
			readonly texts: 'given';
			/** Texts that are taken. */
			readonly maxTexts: number;
			/** Tokens at which a text is cut off. */
			readonly maxTokens: number;
		};
		/** Held-out texts: the loss on them is measured before and after, in nats per byte. */
		readonly evaluation?: {
			/** Files and folders, without the folders that they lie in. */
			readonly paths: readonly string[];
			/** Fields of a record that hold its text, joined in this order. Without it: the first present of text, content, code, prompt. */
			readonly fields?: readonly string[];
			/** Files of a folder that are read, by the end of their name. Without it: those of source code, or of records where there are none. */
			readonly extensions?: readonly string[];
			/** How the files are read; `auto`, which is also the default, goes by their names. */
			readonly format?: 'auto' | 'jsonl' | 'csv' | 'parquet' | 'text';
			/** Texts that are taken. */
			readonly maxTexts: number;
			/** Tokens at which a text is cut off. */
			readonly maxTokens: number;
		} | {
			/** The caller gave the texts. */
			readonly texts: 'given';
			/** Texts that are taken. */
			readonly maxTexts: number;
			/** Tokens at which a text is cut off. */
			readonly maxTokens: number;
		};
		/** How the vocabulary is pruned. Without it: `{select: 'used'}` when there is a corpus, else not at all. */
		readonly vocabulary?: false | {
			/**
			 * Tokens that stay: `used`: all that the texts use; `min-count`: those used at least `minCount` times; `top`: the `top` most used;
			 * `coverage`: the most used that make up `coverage` of the texts' tokens. Bytes, special tokens and what merges pass through stay always.
			 */
			readonly select: 'used' | 'min-count' | 'top' | 'coverage';
			/** For 'min-count': occurrences that a token needs to stay. */
			readonly minCount?: number;
			/** For 'top': number of most frequent tokens that stay. */
			readonly top?: number;
			/** For 'coverage': share of the corpus's tokens that the kept ones make up, above 0, at most 1. */
			readonly coverage?: number;
			/** The size is rounded up to a multiple of this by keeping the next most frequent tokens. */
			readonly multipleOf: number;
		};
		/** Which layers are dropped. */
		readonly layers: false | {
			/** How many layers to drop, or which (from 0). */
			readonly drop: number | readonly number[];
			/**
			 * What a layer is judged by: `kl`: the divergence of the logits without it (Flab-Pruner, arXiv 2412.15921); `bi`, `bi-last`: block
			 * influence over all or the last tokens (ShortGPT, arXiv 2403.03853); `angular`: the angle between its input and output (arXiv 2403.17887);
			 * `perplexity`: the next-token loss without it.
			 */
			readonly metric: 'kl' | 'bi' | 'bi-last' | 'angular' | 'perplexity';
			/** Tokens of each text that the divergence is taken at: the `last`, which costs least, or `all`. */
			readonly positions: 'last' | 'all';
			/** `greedy`: score again after every dropped layer; `one-shot`: score once; `racing`: greedy by `kl`, with candidates that can't win given up early. */
			readonly search: 'greedy' | 'one-shot' | 'racing';
		};
		/** Which neurons of the FFNs are kept. */
		readonly ffn: false | {
			/** From 1: neurons to keep in every layer. Below 1: the share to keep, rounded to the nearest multiple. */
			readonly width: number;
			/**
			 * Neurons that stay: by place (`top`, `bottom`, `middle`, `random`), by weights (`magnitude`), by activations on the calibration texts
			 * (`activation`; `wanda`, arXiv 2306.11695; `fluctuation`: FLAP, arXiv 2312.11983), or `auto`: whichever of these has the smallest divergence.
			 */
			readonly strategy: 'top' | 'bottom' | 'middle' | 'random' | 'magnitude' | 'activation' | 'wanda' | 'fluctuation' | 'auto';
			/** The width must be a multiple of this. */
			readonly multipleOf: number;
			/** For 'random'. */
			readonly seed: number;
			/** Tokens of each text that the divergence is taken at. */
			readonly positions: 'last' | 'all';
		};
		/** How products are computed; `auto` is bf16 for bf16 weights and f32 for others. */
		readonly compute: 'auto' | 'f32' | 'bf16';
	};
	/** null when every token stays. */
	readonly vocabulary: {
		readonly before: number;
		readonly after: number;
		/** Ids that stay, as half-open ranges of the original ids. */
		readonly keep: ReadonlyArray<readonly [number, number]>;
		readonly selection: {
			readonly select: 'used' | 'min-count' | 'top' | 'coverage';
			readonly minCount?: number;
			readonly top?: number;
			readonly coverage?: number;
			readonly multipleOf: number;
		};
		/** Number of tokens that stay, by why they do. */
		readonly reasons: Readonly<Record<string, number>>;
		/** What the counting found: tokens, distinct tokens and the like. */
		readonly counts: Readonly<Record<string, number>>;
		/** [id, occurrences] of every token that the texts use. */
		readonly frequencies?: ReadonlyArray<readonly [number, number]>;
		/** What the comparison of both tokenizers on the corpus found. */
		readonly proof: Readonly<Record<string, number | string | boolean>>;
	} | null;
	/** null when every layer stays. */
	readonly layers: {
		readonly before: number;
		readonly after: number;
		/** Indices in the original checkpoint that stay, ascending. */
		readonly keep: readonly number[];
		/** Those that go, in the order in which they were dropped. */
		readonly dropped: readonly number[];
		/** null when the layers were listed. */
		readonly metric: 'kl' | 'bi' | 'bi-last' | 'angular' | 'perplexity' | null;
		readonly positions: 'last' | 'all' | null;
		readonly search: 'greedy' | 'one-shot' | 'racing' | 'list';
		/** Each scoring, with the layers dropped because of it. */
		readonly steps: ReadonlyArray<{
			readonly dropped: readonly number[];
			readonly scores: ReadonlyArray<{
				/** Index in the original checkpoint. */
				readonly layer: number;
				/** What the choice was made by: the smallest goes. */
				readonly score: number | null;
				/** KL(reference || model without this layer too), nats per position. */
				readonly divergence?: number | null;
				/** Next-token loss without this layer too, nats per token. */
				readonly loss?: number | null;
				readonly blockInfluence?: number | null;
				readonly blockInfluenceLast?: number | null;
				/** Angular distance of the layer's input and output, or of the block that begins here when blocks are dropped. */
				readonly angular?: number | null;
				/** Texts that score and divergence were measured on; absent where they are all of them. */
				readonly texts?: number;
			}>;
			/** Passes of a token through a layer that the scoring took. */
			readonly tokenLayers?: number;
			/** Those that every candidate on every text takes. */
			readonly tokenLayersFull?: number;
		}>;
	} | null;
	/** null when every neuron stays. */
	readonly ffn: {
		readonly before: number;
		readonly after: number;
		/** The strategy chosen. */
		readonly strategy: 'top' | 'bottom' | 'middle' | 'random' | 'magnitude' | 'activation' | 'wanda' | 'fluctuation';
		/** Positions that the candidates' divergence was taken at. */
		readonly positions: 'last' | 'all' | null;
		/** For each layer that stays, the neurons that stay, as half-open ranges. */
		readonly keep: ReadonlyArray<ReadonlyArray<readonly [number, number]>>;
		/** Every strategy that was tried; nats per position. */
		readonly candidates: ReadonlyArray<{
			readonly strategy: 'top' | 'bottom' | 'middle' | 'random' | 'magnitude' | 'activation' | 'wanda' | 'fluctuation';
			readonly divergence: number | null;
		}>;
		/** How clear the cut was, for each layer that stays; empty for strategies without scores. */
		readonly scoreSummary: ReadonlyArray<{
			/** Index in the original checkpoint. */
			readonly layer: number;
			readonly minKept: number | null;
			readonly meanKept: number | null;
			readonly maxDropped: number | null;
			readonly meanDropped: number | null;
			readonly shareKept: number | null;
		}>;
		/** For each layer that stays, the score of every neuron, to six digits; absent for strategies without scores. */
		readonly scores?: ReadonlyArray<ReadonlyArray<number | null>>;
	} | null;
	/** Sizes and measurements, the original first. */
	readonly stages: readonly Stage[];
	/** Sentences about what a reader should know. */
	readonly warnings: readonly string[];
};

/** The checkpoint that a plan was made for. */
export type PlanSource = {
	readonly family: string;
	/** Sizes of the checkpoint. */
	readonly config: {
		readonly layers: number;
		readonly width: number;
		readonly ffnWidth: number;
		readonly vocabulary: number;
		readonly queryHeads?: number;
		readonly kvHeads?: number;
		readonly headWidth?: number;
		/** Whether embedding and LM head are one tensor. */
		readonly tied?: boolean;
		/** Dtypes of the weights, most bytes first. */
		readonly dtypes?: readonly string[];
	};
	/** Files that the plan depends on, by name in the checkpoint folder. */
	readonly files: Readonly<Record<string, {
		readonly bytes: number;
		readonly sha256: string;
	}>>;
};

/** One row of the result table: what is there after a cut, and what it cost. */
export type Stage = {
	readonly name: 'original' | 'vocabulary' | 'layers' | 'ffn';
	readonly vocabulary: number;
	readonly layers: number;
	readonly ffnWidth: number;
	readonly parameters: number;
	/** Bytes of the weights. */
	readonly bytes: number;
	/** KL(reference || this stage) on the calibration texts, nats per position; null when it was not measured. */
	readonly divergence: number | null;
	/** Nats per byte of the evaluation texts. */
	readonly lossPerByte?: number | null;
	/** Nats per token of the evaluation texts. */
	readonly lossPerToken?: number | null;
	/** Tokens per byte of the evaluation texts. */
	readonly tokensPerByte?: number | null;
};

/** What `prune` and `apply` give back: the plan that was carried out, what was written, how it was checked. */
export type Report = {
	readonly schemaVersion: 1;
	/** What was decided, and the numbers that it was decided on. */
	readonly plan: Plan;
	readonly output: Output;
	/** null when verification was switched off. */
	readonly verification: Verification | null;
	/** What the search ran on; absent where nothing was searched. */
	readonly device?: DeviceReport;
	/** In the order in which they began. */
	readonly timings: readonly Timing[];
	/** Largest resident memory of the process, mapped weights included; 0 when unknown. */
	readonly peakBytes: number;
};

/** What was written. */
export type Output = {
	/** By name in the output folder. */
	readonly files: Readonly<Record<string, {
		readonly bytes: number;
		readonly sha256?: string;
	}>>;
	/** All files together. */
	readonly bytes: number;
	/** Elements of all tensors; an embedding that is the LM head too counts once. */
	readonly parameters: number;
};

/** How far the written checkpoint's logits are from those of the masked original. */
export type Verification = {
	/** sqrt(sum of squared differences / sum of squared logits of the original). */
	readonly relativeError: number;
	/** Largest difference of two logits. */
	readonly maxDifference: number;
	/** Largest |logit| of the original. */
	readonly maxLogit: number;
	/** Positions compared. */
	readonly positions: number;
	/** Those of them at which the largest logit is the same token's. */
	readonly sameTop: number;
	/** Largest relative error that is accepted. */
	readonly tolerance: number;
};

/** What the model ran on. */
export type DeviceReport = {
	/** 'cpu', or 'cuda:N'. */
	readonly name: string;
	/** Why it was this one, as a sentence. */
	readonly reason: string;
};

/** How long a part of the run took. */
export type Timing = {
	readonly phase: string;
	readonly durationMs: number;
};
