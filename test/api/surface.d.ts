// Everything that the package exports. Made from its sources.

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

/** A checkpoint's tensors, ready to be read. */
export type Checkpoint = {
    /** Absolute path of the folder. */
    readonly dir: string;
    /** Content of config.json. */
    readonly config: Readonly<Record<string, unknown>>;
    /** Names of all tensors, in the order of the files. */
    readonly names: readonly string[];
    /**
     * A tensor by name, mapped on first use. Writing to its data changes this process's copy of the memory, never the file.
     * The mapping lives as long as any data taken from it.
     *
     * @throws ERR_BAD_ARGUMENT if there is no tensor of that name or the checkpoint is closed, ERR_READ
     */
    tensor(name: string): MappedTensor;
    /**
     * Gives the memory of all its tensors back to the system; no more can be taken. Data that was taken is not to be used any more: it
     * reads the file again. `using` and `await using` call it.
     */
    close(): void;
    [Symbol.dispose](): void;
    [Symbol.asyncDispose](): Promise<void>;
};

/** What every long operation takes. */
export type Control = {
    /** Cancels: the operation rejects with `ERR_ABORTED` within a second and leaves nothing half-written. */
    readonly signal?: AbortSignal;
    readonly onProgress?: OnProgress;
};

/** What the model ran on. */
export type DeviceReport = {
    /** 'cpu', or 'cuda:N'. */
    readonly name: string;
    /** Why it was this one, as a sentence. */
    readonly reason: string;
};

/** Something that is wrong, or could be better, and what to do about it. */
export type DiagnosedProblem = {
    /** Part of the diagnosis that it is about. */
    readonly about: 'node' | 'addon' | 'cpu' | 'threads' | 'memory' | 'cuda' | 'temporary';
    /** An `error` keeps flab-pruner from working; a `warning` makes it slower, or something is not as it was asked for. */
    readonly severity: 'error' | 'warning';
    readonly message: string;
    /** What to do, as a sentence. */
    readonly remedy: string;
};

/** What flab-pruner found out about itself and the machine. What is unknown is null; without the addon, that is what only it can tell. */
export type Diagnosis = {
    /** Whether there is no problem of severity `error`. */
    readonly healthy: boolean;
    /** Version of flab-pruner; 'unknown' in a bundle. */
    readonly version: string;
    /** Version of Node. */
    readonly node: string;
    /** Such as 'linux', 'x64', '6.1.0', and the version of glibc where there is one. */
    readonly platform: {
        readonly os: string;
        readonly arch: string;
        readonly release: string;
        readonly glibc: string | null;
    };
    /** The native addon: the file that it was loaded from, how that came about, or why it was not loaded. */
    readonly addon: {
        readonly loaded: boolean;
        readonly file: string | null;
        readonly origin: 'prebuilt' | 'built here' | null;
        readonly error: {
            readonly code: string;
            readonly message: string;
            readonly hint: string | null;
        } | null;
    };
    /** The processor, the instruction set in use and why; `possible` are those that this processor has, the best one first. */
    readonly cpu: {
        readonly model: string;
        readonly instructionSet: string | null;
        readonly possible: readonly string[];
        /** Value of FLAB_CPU. */
        readonly forced: string | null;
        readonly reason: string;
    };
    /** Threads of the pool, and everything that has a say in it; null where there is no limit. */
    readonly threads: {
        readonly allowed: number | null;
        readonly cpus: number;
        readonly affinity: number | null;
        readonly cgroup: number | null;
        /** Value of FLAB_THREADS. */
        readonly wanted: string | null;
        readonly reason: string;
    };
    /** Memory in bytes; `defaultLimitBytes` is what a computation that begins now, in a run without `maxMemory`, takes at most: half of what is available. */
    readonly memory: {
        readonly totalBytes: number;
        readonly cgroupBytes: number | null;
        readonly availableBytes: number;
        readonly defaultLimitBytes: number;
    };
    /** The GPUs: `usable`, or the reason why there are none that can be used. */
    readonly cuda: {
        readonly state: 'usable' | 'not usable';
        readonly reason: string;
        readonly devices: ReadonlyArray<{
            /** As `device` names it, such as 'cuda:0'. */
            readonly device: string;
            readonly name: string;
            readonly computeCapability: string;
            readonly memoryBytes: number;
            readonly availableBytes: number;
            /** What computes matrix products on it, or why it can't be opened. */
            readonly products: string;
            readonly usable: boolean;
        }>;
    };
    /** Folder of temporary files, which a search for layers keeps states in. */
    readonly temporary: {
        readonly folder: string;
        readonly writable: boolean;
        readonly inMemory: boolean;
        readonly freeBytes: number | null;
    };
    readonly problems: readonly DiagnosedProblem[];
};

/** How divergences are taken. */
export type DivergenceOptions = KernelOptions & {
    /** [rows] memory for the result, which may not overlap the matrices, or its bytes at a multiple of 8; without it, new memory is taken. */
    readonly out?: Float64Array | Uint8Array;
};

/**
 * Every error that flab-pruner raises on purpose: `code` for programs, `message` for people
 * (where, expected, got), `hint` for what to do next.
 */
export declare class FlabError extends Error {
    readonly code: FlabErrorCode;
    readonly file: string | undefined;
    readonly tensor: string | undefined;
    readonly hint: string | undefined;
    constructor(code: FlabErrorCode, message: string, { file, tensor, hint, cause }?: FlabErrorDetails);
}

/** One of `errorCodes`. */
export type FlabErrorCode = (typeof errorCodes)[number];

/** Where an error happened and what to do about it. */
export type FlabErrorDetails = {
    /** Path of the file concerned. */
    readonly file?: string;
    /** Name of the tensor concerned. */
    readonly tensor?: string;
    /** What to do, as a sentence. */
    readonly hint?: string;
    /** The error underneath. */
    readonly cause?: unknown;
};

/** A matrix of floats: `Float32Array`, `Uint16Array` with `dtype` 'BF16' or 'F16', or the bytes of either in a `Uint8Array` or `Buffer` with `dtype`. */
export type FloatMatrix = Matrix<Float32Array | Uint16Array | Uint8Array>;

/** Texts that the caller gives instead of files: an iterable, or a function that makes one. The next text is asked for when the last one is done with. */
export type GivenTexts = TextStream | (() => TextStream | Promise<TextStream>);

/** What `inspect` takes. */
export type InspectOptions = {
    /** In a file with options: the address of its JSON schema, for editors. It has no effect. */
    readonly $schema?: string;
    /** Folder of the checkpoint. */
    readonly model: string;
};

/** What a checkpoint is, and what could be pruned. */
export type Inspection = {
    /** qwen2, llama, mistral or qwen3. */
    readonly family: string;
    /** Folder of the checkpoint, as it was named. */
    readonly dir: string;
    /** Dtypes of the weights, most bytes first. */
    readonly dtypes: readonly string[];
    /** L, decoder layers. */
    readonly layers: number;
    /** D, elements of a hidden state. */
    readonly width: number;
    /** F, neurons of a layer's FFN. */
    readonly ffnWidth: number;
    /** H. */
    readonly queryHeads: number;
    /** K. */
    readonly kvHeads: number;
    /** E, elements of a head. */
    readonly headWidth: number;
    /** V, rows of the embedding. */
    readonly vocabulary: number;
    /** Whether embedding and LM head are one tensor. */
    readonly tied: boolean;
    /** Elements of all tensors. */
    readonly parameters: number;
    /** Bytes of the weights. */
    readonly bytes: number;
    /** Parts of the model; `share` is of the parameters (0 to 1). */
    readonly components: readonly {
        readonly name: string;
        readonly parameters: number;
        readonly bytes: number;
        readonly share: number;
    }[];
    /** Absent where there is none, or none that can be pruned. */
    readonly tokenizer?: {
        readonly kind: string;
        readonly tokens: number;
        readonly addedTokens: number;
        readonly merges: number;
    };
    /** What there is to remove, and what removing one of them saves. */
    readonly prunable: {
        /** Rows of embedding and LM head. */
        readonly vocabulary: {
            readonly tokens: number;
            readonly parametersPerToken: number;
            readonly bytesPerToken: number;
        };
        readonly layers: {
            readonly count: number;
            readonly parametersPerLayer: number;
            readonly bytesPerLayer: number;
        };
        /** A neuron counted over all layers, as every layer keeps the same number. */
        readonly ffn: {
            readonly width: number;
            readonly parametersPerNeuron: number;
            readonly bytesPerNeuron: number;
        };
    };
};

/** What every kernel takes. */
export type KernelOptions = {
    readonly signal?: AbortSignal;
    /** Threads that the call may take. Without it: as many as the machine grants. */
    readonly threads?: number;
};

/** A tensor in a mapped file. `data` is the file's memory, not a copy (unless the file places it at an odd offset). */
export type MappedTensor = Matrix & {
    readonly name: string;
    /** As safetensors names it: F32, BF16, ... */
    readonly dtype: string;
    /** Gives its memory back to the system. `data` is not to be used any more: it reads the file again, without what was written to it. */
    [Symbol.dispose](): void;
};

/**
 * A row-major matrix: `shape` is [rows, columns], or [rows] for a column of single elements. A tensor of
 * `openCheckpoint` is one; so is memory of your own, which is used without a copy: until the call's promise has settled it may not be
 * transferred to another thread (`postMessage`, `structuredClone`) or detached in another way. That ends the process, and
 * nothing can keep you from it.
 */
export type Matrix<Data extends TensorData = TensorData> = {
    readonly data: Data;
    readonly shape: readonly number[];
    /** What `data` holds, as safetensors names it. Needed where values are computed with and `data` is a `Uint16Array`, and for bytes. */
    readonly dtype?: string;
    /** For error messages. */
    readonly name?: string;
};

/** How FFN neurons are scored; bigger is more worth keeping. */
export type NeuronMetric = 'magnitude' | 'activation' | 'wanda' | 'fluctuation';

/** What the neurons of an FFN are scored by. */
export type NeuronScoresInput = {
    /**
     * - `magnitude`: sqrt(|gate_j|^2 + |up_j|^2 + |down_j|^2), the norm of all of a neuron's weights; needs `gate`, `up`, `down`
     * - `activation`: mean |a_j| over tokens; needs `activations`
     * - `wanda`: |a_j|_2 |down_j|_2 (arXiv 2306.11695); needs `activations`, `down`
     * - `fluctuation`: variance of a_j over tokens times |down_j|_2^2 (FLAP, arXiv 2312.11983); needs `activations`, `down`
     */
    readonly metric: NeuronMetric;
    /** [T, F] gated activations: what goes into down_proj. */
    readonly activations?: FloatMatrix;
    /** [D, F] weight of down_proj. */
    readonly down?: FloatMatrix;
    /** [F, D] weights of gate_proj and up_proj. */
    readonly gate?: FloatMatrix;
    readonly up?: FloatMatrix;
};

/** How neurons are scored. */
export type NeuronScoresOptions = KernelOptions & {
    /** [F] memory for the result, which may not overlap the matrices, or its bytes at a multiple of 8; without it, new memory is taken. */
    readonly out?: Float64Array | Uint8Array;
};

/** Called on the event loop, at most a few dozen times a second; an exception thrown by it ends the operation. */
export type OnProgress = (event: ProgressEvent) => void;

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

/** One progress event. `done` and `total` are in `unit`; `total` is 0 when it is not known beforehand. */
export type ProgressEvent = {
    readonly phase: ProgressPhase;
    readonly done: number;
    readonly total: number;
    readonly unit: 'bytes' | 'texts' | 'token-layers' | 'tokens';
    /** What is being worked on, when one phase has several parts: "step 2 of 4". */
    readonly detail?: string;
};

/** The long parts of a run, in the order they come. */
export type ProgressPhase = 'count' | 'prove' | 'layers' | 'neurons' | 'evaluate' | 'write' | 'verify' | 'hash';

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

/** The same where the texts are read more than once: a list, or a function that makes the same ones each time. */
export type RepeatableTexts = readonly TextItem[] | (() => TextStream | Promise<TextStream>);

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

/** What can be rendered: a report, or a plan that has not been carried out. */
export type Reportable = Pick<Report, 'plan'> & Partial<Report>;

/**
 * A run under way: a promise of its result that is also the stream of its progress events.
 *
 * `for await (const event of run)` ends when the run ends, and throws what it rejects with. Whoever reads slowly misses nothing but
 * older events of the same phase and detail. Leaving the loop early leaves the run alone: a `signal` cancels it.
 */
export type Run<Result> = Promise<Result> & AsyncIterable<ProgressEvent>;

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

/** Scores: a row of f32 or f64, or a matrix [rows, columns] of f32, f64, bf16 or f16, or of the bytes of these with `dtype`. */
export type Scores = Float32Array | Float64Array | Matrix<Float32Array | Float64Array | Uint16Array | Uint8Array>;

/** How a slice is taken. */
export type SliceOptions<Data extends TensorData> = KernelOptions & {
    /**
     * Memory for the result, not overlapping the matrix: of the kind and length that the result needs, or its bytes at an offset that is
     * a multiple of an element's size. Without it, new memory is taken.
     */
    readonly out?: Data | Uint8Array;
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

/**
 * Elements of a tensor as JavaScript holds them; bf16 and f16 as `Uint16Array`, 8-bit floats as `Uint8Array`. On shared memory too.
 * A `Uint8Array` (so a `Buffer`) may also hold the bytes of elements of any dtype, little-endian, at any offset.
 */
export type TensorData = Float32Array | Float64Array | Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | BigUint64Array | BigInt64Array;

/** A text: a string, or an object that has it. */
export type TextItem = string | {
    readonly text: string;
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

/** Texts that the caller makes, one after the other. */
export type TextStream = Iterable<TextItem> | AsyncIterable<TextItem>;

/** How long a part of the run took. */
export type Timing = {
    readonly phase: string;
    readonly durationMs: number;
};

/** How the largest are found. */
export type TopKOptions = KernelOptions & {
    /** [rows, count] memory for the result, which may not overlap the scores, or its bytes at a multiple of 4; without it, new memory is taken. */
    readonly out?: Uint32Array | Uint8Array;
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

/**
 * Carries out a plan: writes the smaller checkpoint, reopens and verifies it, and puts it at `out`. Until then nothing is
 * there, and nothing stays of a run that failed.
 *
 * @throws FlabError: ERR_BAD_PLAN (malformed, or made for another checkpoint), ERR_OUTPUT_EXISTS, ERR_WRITE (disk full,
 * read-only), ERR_VERIFY, and those of reading a checkpoint
 */
export declare const apply: (options: ApplyOptions, control?: Control) => Run<Report>;

/**
 * Finds out how flab-pruner is installed here and what the machine grants it: the addon and the instruction set in use, threads and
 * memory, with a remedy for everything that is wrong. Never rejects: an addon that does not load is a finding.
 */
export declare const doctor: () => Promise<Diagnosis>;

/**
 * What went wrong, for programs. Each code has an exit code of the CLI (see `exitCodes`).
 *
 * - `ERR_BAD_ARGUMENT`: an option or argument of the caller
 * - `ERR_BAD_FILE`: a checkpoint file is damaged or inconsistent (safetensors, index, JSON syntax)
 * - `ERR_BAD_CONFIG`: config.json or generation_config.json says something unusable
 * - `ERR_UNKNOWN_FAMILY`: no model family matches the checkpoint
 * - `ERR_BAD_TOKENIZER`: tokenizer files are missing, damaged or of a kind that can't be pruned
 * - `ERR_BAD_DATA`: a corpus or calibration record
 * - `ERR_BAD_PLAN`: a plan is malformed, or does not belong to this checkpoint
 * - `ERR_OUTPUT_EXISTS`: the output is there already and may not be replaced
 * - `ERR_READ`, `ERR_WRITE`: the operating system refused (missing, disk full, read-only, permissions)
 * - `ERR_PROOF`: the pruned tokenizer does not encode the corpus as the original does
 * - `ERR_VERIFY`: the written checkpoint does not compute what the masked original computes
 * - `ERR_MEMORY`: a buffer could not be allocated, no thread could be started, or the work does not fit the memory that it may take
 * - `ERR_NO_DRIVER`, `ERR_OLD_DRIVER`, `ERR_NO_DEVICE`, `ERR_DEVICE_BUSY`, `ERR_DEVICE_UNSUPPORTED`: why a GPU can't be used
 * - `ERR_NO_BACKEND`: the library for GPUs is not there, or is of another version
 * - `ERR_DEVICE_MEMORY`: the work does not fit the memory of the GPU that it may take
 * - `ERR_DEVICE_FAULT`: the GPU failed while it computed; the process goes on without it
 * - `ERR_ABORTED`: cancelled through an AbortSignal or Ctrl-C
 * - `ERR_NATIVE_LOAD`: the native addon could not be loaded
 * - `ERR_INTERNAL`: a defect of flab-pruner
 */
export declare const errorCodes: readonly ["ERR_BAD_ARGUMENT", "ERR_BAD_FILE", "ERR_BAD_CONFIG", "ERR_UNKNOWN_FAMILY", "ERR_BAD_TOKENIZER", "ERR_BAD_DATA", "ERR_BAD_PLAN", "ERR_OUTPUT_EXISTS", "ERR_READ", "ERR_WRITE", "ERR_PROOF", "ERR_VERIFY", "ERR_MEMORY", "ERR_NO_DRIVER", "ERR_OLD_DRIVER", "ERR_NO_DEVICE", "ERR_DEVICE_BUSY", "ERR_DEVICE_UNSUPPORTED", "ERR_NO_BACKEND", "ERR_DEVICE_MEMORY", "ERR_DEVICE_FAULT", "ERR_ABORTED", "ERR_NATIVE_LOAD", "ERR_INTERNAL"];

/**
 * Says what a checkpoint is: family, sizes, parameters and bytes by component, and what could be pruned. Reads headers only.
 *
 * @throws FlabError: ERR_READ, ERR_BAD_FILE, ERR_BAD_CONFIG, ERR_UNKNOWN_FAMILY
 */
export declare const inspect: (options: InspectOptions, control?: Control) => Promise<Inspection>;

/**
 * KL(P || Q) of each row of two matrices of logits [rows, V], in nats: sum over v of P(v) (log P(v) - log Q(v)), with P and Q
 * the softmax of the rows. One pass in a form that does not cancel, so divergences keep a relative error near 1e-6 down to 1e-8.
 *
 * A logit of -Infinity is a probability of zero; where only `q` has it the result is Infinity. NaN gives NaN.
 *
 * @param p logits of the reference, f32, bf16 or f16
 * @param q logits of the candidate, same shape; its dtype may differ
 * @returns [rows] nats; `out` if it was given, or an array on its bytes
 * @throws ERR_BAD_ARGUMENT if the matrices or `out` don't fit, ERR_ABORTED
 */
export declare const klDivergence: (p: FloatMatrix, q: FloatMatrix, options?: DivergenceOptions) => Promise<Float64Array>;

/**
 * Scores of the F neurons of a gated FFN; bigger is more worth keeping. Sums are taken in doubles, in the order of tokens.
 *
 * @returns [F]; `out` if it was given, or an array on its bytes
 * @throws ERR_BAD_ARGUMENT if a matrix that the metric needs is missing, or a matrix or `out` does not fit, ERR_ABORTED
 */
export declare const neuronScores: (input: NeuronScoresInput, options?: NeuronScoresOptions) => Promise<Float64Array>;

/**
 * Opens a Hugging Face checkpoint folder of any architecture: reads and checks config.json and the headers of all safetensors
 * files; weights are mapped into memory when they are asked for.
 *
 * @throws ERR_READ, ERR_BAD_FILE, ERR_BAD_CONFIG (quantised weights)
 */
export declare const openCheckpoint: (dir: string) => Promise<Checkpoint>;

/** A plan from the text of its file; `file` is for messages. @throws ERR_BAD_PLAN with a line for everything that is wrong, ERR_BAD_ARGUMENT */
export declare const parsePlan: (text: string, file?: string) => Plan;

/**
 * Searches what to cut from a checkpoint and writes nothing: which tokens, layers and FFN neurons stay, every number that the
 * choices were made on, and what each cut costs.
 *
 * @throws FlabError: ERR_BAD_ARGUMENT (options), ERR_READ, ERR_BAD_FILE, ERR_BAD_CONFIG, ERR_UNKNOWN_FAMILY (checkpoint),
 * ERR_BAD_TOKENIZER, ERR_BAD_DATA (texts), ERR_PROOF (the pruned tokenizer is not exact), ERR_MEMORY, ERR_ABORTED
 */
export declare const plan: (options: PlanOptions, control?: Control) => Run<Plan>;

/** A plan as the text of its file; equal plans give equal bytes. @throws ERR_BAD_PLAN if the plan is not one */
export declare const planToJson: (plan: Plan) => string;

/**
 * Makes a checkpoint smaller: searches what to cut (`plan`), carries it out and verifies it (`apply`). The same input gives the
 * same bytes, on the same kind of processor.
 *
 * @throws FlabError: those of `plan` and `apply`
 */
export declare const prune: (options: PruneOptions, control?: Control) => Run<Report>;

/** A report as one HTML page without scripts and without anything loaded from elsewhere. @throws ERR_BAD_ARGUMENT if it is none */
export declare const reportToHtml: (report: Reportable) => string;

/** A report as JSON text, ending in a line break. @throws ERR_BAD_ARGUMENT if it is none */
export declare const reportToJson: (report: Reportable) => string;

/** A report as Markdown (tables as GitHub reads them). @throws ERR_BAD_ARGUMENT if it is none */
export declare const reportToMarkdown: (report: Reportable) => string;

/**
 * The columns of a matrix [rows, columns] that `keep` names (ascending), as [rows, kept]. Any dtype; bytes are copied as they are.
 *
 * @returns its data are `out` if that was given, or an array of their kind on its bytes
 * @throws ERR_BAD_ARGUMENT if shape, `keep` or `out` don't fit, ERR_ABORTED
 */
export declare const sliceColumns: <Data extends TensorData>(matrix: Matrix<Data>, keep: Uint32Array | readonly number[], options?: SliceOptions<Data>) => Promise<Matrix<Data>>;

/**
 * The rows of a matrix [rows, columns] that `keep` names (ascending), as [kept, columns]. Any dtype; bytes are copied as they are.
 *
 * @returns its data are `out` if that was given, or an array of their kind on its bytes
 * @throws ERR_BAD_ARGUMENT if shape, `keep` or `out` don't fit, ERR_ABORTED
 */
export declare const sliceRows: <Data extends TensorData>(matrix: Matrix<Data>, keep: Uint32Array | readonly number[], options?: SliceOptions<Data>) => Promise<Matrix<Data>>;

/**
 * Indices of the `count` largest scores of each row, ascending, so that slicing reads forward only; equal scores go to the
 * lower index, so that the same scores give the same model.
 *
 * @returns [rows, count]; `out` if it was given, or an array on its bytes
 * @throws ERR_BAD_ARGUMENT if `count` is not from 0 to the number of columns, `out` does not fit or a score is NaN, ERR_ABORTED
 */
export declare const topK: (scores: Scores, count: number, options?: TopKOptions) => Promise<Uint32Array>;
