// Every type and call of the native addon. C++ knows no file names of checkpoints, no config.json, no family:
// it gets plain numbers, mapped files with offsets, and index lists; it gives back scores.
//
// Dimensions: T tokens, D model width, F FFN width, H query heads, K key/value heads, E head width, V vocabulary, L layers.

/** Dtypes whose values can be computed with. Any other dtype is only ever copied. */
export type ComputeDtype = 'F32' | 'F16' | 'BF16';

/** A read-only file in memory, copy-on-write: nothing that JavaScript does to a view reaches the file. */
export type MappedFile = {
	/** Length of the file in bytes. */
	readonly bytes: number;
	/** The bytes [begin, end) without a copy. The mapping lives as long as any view. */
	view(begin: number, end: number): ArrayBuffer;
	/** Gives the memory of the whole pages in [begin, end) back to the system; views of them have the file's content again. */
	discard(begin: number, end: number): void;
};

/** A tensor in a mapped file: `begin` is the byte offset of its first element in the file. */
export type NativeTensor = {
	readonly file: MappedFile;
	readonly begin: number;
	readonly dtype: ComputeDtype;
	readonly shape: readonly number[];
	/** For error messages. */
	readonly name: string;
};

/** What the decoder has to know, as numbers. */
export type ModelSpec = {
	/** L */
	readonly layers: number;
	/** D, hidden_size */
	readonly width: number;
	/** F, intermediate_size */
	readonly ffnWidth: number;
	/** H */
	readonly queryHeads: number;
	/** K */
	readonly kvHeads: number;
	/** E, head_dim */
	readonly headWidth: number;
	/** V, rows of the embedding */
	readonly vocabulary: number;
	readonly normEps: number;
	/** [E/2] rotary frequencies in radians per position, after any rope scaling. */
	readonly inverseFrequencies: Float32Array;
	/** Factor on the rotary cosines and sines (1 for every supported scaling). */
	readonly rotaryScale: number;
	/** [L] attention window of each layer in tokens, the token itself included; 0 means unlimited. */
	readonly windows: Int32Array;
};

/** Weights of one decoder layer. Linear weights are [outputs, inputs] row-major, as PyTorch stores them. */
export type NativeLayer = {
	readonly inputNorm: NativeTensor;
	readonly query: NativeTensor;
	readonly key: NativeTensor;
	readonly value: NativeTensor;
	readonly output: NativeTensor;
	readonly queryBias?: NativeTensor;
	readonly keyBias?: NativeTensor;
	readonly valueBias?: NativeTensor;
	readonly outputBias?: NativeTensor;
	/** [E] RMSNorm on each query head before the rotation (Qwen3). */
	readonly queryNorm?: NativeTensor;
	readonly keyNorm?: NativeTensor;
	readonly ffnNorm: NativeTensor;
	readonly gate: NativeTensor;
	readonly up: NativeTensor;
	readonly down: NativeTensor;
	readonly gateBias?: NativeTensor;
	readonly upBias?: NativeTensor;
	readonly downBias?: NativeTensor;
};

/** What is known of a device. */
export type DeviceInfo = {
	readonly index: number;
	readonly name: string;
	readonly memoryBytes: number;
	/** Not in use now by anybody. */
	readonly availableBytes: number;
	/** Such as '9.0'. */
	readonly computeCapability: string;
	/** Versions of CUDA that the driver knows and that the library was built with, such as '13.0'. */
	readonly driver: string;
	readonly runtime: string;
	/** Why it can't be used, where it can't. */
	readonly problem?: string;
};

/** A device, open. */
export type DeviceHandle = {readonly __device: unique symbol};

export type OpenedDevice = DeviceInfo & {
	readonly handle: DeviceHandle;
	/** What computes products: the library with its version, or why there is none. */
	readonly products: string;
	/** Whether that is the library, and not slower kernels of our own. */
	readonly fastProducts: boolean;
};

export type OpenDeviceInput = {
	/** Path of the backend's library. */
	readonly library: string;
	readonly index: number;
	/** Path of the library of products; '' for none; absent: the usual names. */
	readonly products?: string;
	/** Bytes of its memory that may be taken; 0: all. */
	readonly maxMemory: number;
};

/** A whole model. With tied embeddings `head` is the same tensor as `embedding`. */
export type NativeModel = {
	readonly spec: ModelSpec;
	readonly embedding: NativeTensor;
	readonly finalNorm: NativeTensor;
	readonly head: NativeTensor;
	readonly layers: readonly NativeLayer[];
	/** How products are computed: 'f32', or 'bf16' (both factors rounded to bf16, sums in f32). */
	readonly compute: 'f32' | 'bf16';
	/** That it runs on; absent: the CPU. */
	readonly device?: DeviceHandle;
};

/** An opened model; its weights stay mapped while it lives. */
export type ModelHandle = {readonly __model: unique symbol};

/** Which parts of a model take part, all ascending. Absent means all. */
export type ModelView = {
	/** Layers that run. */
	readonly layers?: Uint32Array;
	/** For each layer that runs, neurons that stay; the others' activations are set to zero. */
	readonly neurons?: readonly Uint32Array[];
	/** Rows of the LM head whose logits exist; divergences and losses are over these. */
	readonly tokens?: Uint32Array;
};

/** Packed texts: text i is ids[offsets[i] .. offsets[i+1]). Ids are rows of the embedding. */
export type PackedTexts = {
	readonly ids: Int32Array;
	/** [texts + 1], ascending from 0; no text is empty. */
	readonly offsets: Int32Array;
};

/** Positions that count for a divergence: the last token of each text, or every token. */
export type Positions = 'last' | 'all';

/** A job on a thread apart. `cancel` makes `promise` reject with code ERR_ABORTED. */
export type Job<Result> = {
	readonly promise: Promise<Result>;
	cancel(): void;
};

/** Called on the event loop; a throw cancels the job and rejects its promise with what was thrown. */
export type JobProgress = (done: number, total: number) => void;

export type ScoreLayersInput = {
	readonly model: ModelHandle;
	/** The model being shortened, without `neurons`. `tokens` also restricts the reference, whose layers are all there. */
	readonly view: ModelView;
	readonly texts: PackedTexts;
	readonly positions: Positions;
	/** Run one candidate for each layer of the view (that layer left out): fills `divergence` and `loss`. */
	readonly candidates: boolean;
	/** Also compute each candidate's next-token loss (needs the LM head on every position). */
	readonly losses: boolean;
	/** Drop candidates early that a paired confidence bound says cannot have the smallest divergence. Default false. */
	readonly racing?: boolean;
	/**
	 * Keep, in temporary files, what the next call on this model can begin with if it has the same texts and only lost layers: states before
	 * a layer that is likely to go, and the reference's. A call without it lets go of them. Default false.
	 */
	readonly keep?: boolean;
};

/** Indices are places in the view's list of layers (n of them). */
export type LayerScores = {
	/** [n] mean KL(reference || view without layer i), nats per position. Empty without candidates. */
	readonly divergence: Float64Array;
	/** [n] mean next-token loss of the view without layer i, nats per token; NaN where no text has two tokens. Empty unless asked for. */
	readonly loss: Float64Array;
	/** [n] 1 - mean cosine of the layer's input and output over all tokens (ShortGPT, arXiv 2403.03853). */
	readonly blockInfluence: Float64Array;
	/** [n] the same at the last token of each text. */
	readonly blockInfluenceLast: Float64Array;
	/** [n+1, n+1] mean angular distance (arccos of the cosine, divided by pi) at the last token between the input of layer a and the input of layer b; row n is the output of the last layer. Symmetric. (Gromov et al., arXiv 2403.17887) */
	readonly angular: Float64Array;
	/** [n] texts that each candidate was measured on; all of them without racing. */
	readonly texts: Uint32Array;
	/** Places, ascending, of the candidates that are still in the race at the end; all without racing. */
	readonly survivors: Uint32Array;
	/** Token-layer passes that were computed. */
	readonly tokenLayers: number;
	/** Those that all candidates on all texts take, without anything that an earlier call left behind. */
	readonly tokenLayersGreedy: number;
};

export type MeasureInput = {
	readonly model: ModelHandle;
	/** Only `tokens` is used: the reference is the whole model with the logits of these. */
	readonly reference: ModelView;
	readonly candidates: readonly ModelView[];
	readonly texts: PackedTexts;
	readonly positions: Positions;
	/** Also sum next-token losses. */
	readonly losses: boolean;
};

export type Measures = {
	/** [candidates] mean KL(reference || candidate), nats per position. */
	readonly divergence: Float64Array;
	/** [candidates] sum of the next-token losses in nats. Empty unless asked for. */
	readonly loss: Float64Array;
	/** The same of the reference. NaN unless asked for. */
	readonly referenceLoss: number;
	/** Number of positions behind `divergence`. */
	readonly positions: number;
	/** Number of tokens behind the losses (every token but the first of each text). */
	readonly lossTokens: number;
};

/** How FFN neurons are scored; bigger is more worth keeping. */
export type NeuronMetric = 'magnitude' | 'activation' | 'wanda' | 'fluctuation';

export type RankNeuronsInput = {
	readonly model: ModelHandle;
	readonly view: ModelView;
	readonly texts: PackedTexts;
	readonly metrics: readonly NeuronMetric[];
};

/** For each metric asked for: [n, F] row-major, n layers of the view. */
export type NeuronRanks = Readonly<Partial<Record<NeuronMetric, Float64Array>>>;

export type LogitsInput = {
	readonly model: ModelHandle;
	readonly view: ModelView;
	readonly texts: PackedTexts;
	readonly positions: Positions;
};

export type CompareInput = {
	readonly a: {readonly model: ModelHandle; readonly view: ModelView; readonly texts: PackedTexts};
	/** As many logits a row as `a`, texts of the same lengths. */
	readonly b: {readonly model: ModelHandle; readonly view: ModelView; readonly texts: PackedTexts};
};

/** Differences of all logits at all positions. */
export type Comparison = {
	readonly maxDifference: number;
	/** Largest |logit| of `a`. */
	readonly maxLogit: number;
	/** sqrt(sum of squared differences / sum of squared logits of `a`). */
	readonly relativeError: number;
	/** Positions compared, and on how many of them the largest logit is the same token. */
	readonly positions: number;
	readonly sameTop: number;
};

/** A 2-D block of elements to copy: rows and columns to keep, ascending; absent means all. */
export type WritePiece = {
	readonly file: MappedFile;
	readonly begin: number;
	readonly rows: number;
	readonly columns: number;
	readonly itemBytes: number;
	readonly keepRows?: Uint32Array;
	readonly keepColumns?: Uint32Array;
};

/** A file to write: `header`, then the pieces one after the other. Must not exist. Synced to disk at the end. */
export type WriteFile = {
	readonly path: string;
	readonly header: Uint8Array;
	readonly pieces: readonly WritePiece[];
};

/** Elements for the kernels that work on callers' tensors. */
export type KernelMatrix<Dtype = ComputeDtype> = {
	/** Elements, or their bytes, which need not be aligned. */
	readonly data: Float32Array | Float64Array | Uint16Array | Uint8Array;
	readonly dtype: Dtype;
	readonly rows: number;
	readonly columns: number;
};

/** What the machine grants this process. */
export type Resources = {
	/** CPUs that its affinity allows. */
	readonly affinityThreads: number;
	/** The CPU quota of its control groups, rounded up; absent: none. */
	readonly cgroupThreads?: number;
	/** Threads of the pool if it were made now: the least of these and FLAB_THREADS. */
	readonly threads: number;
	/** The memory limit of its control groups; absent: none. */
	readonly cgroupBytes?: number;
	/** Bytes that system and control groups have left. */
	readonly availableBytes: number;
	/** Bytes that it holds now. */
	readonly residentBytes: number;
};

/** Bytes that an operation takes at least: of this process's memory, and of a device's, which has so much left; without a device 0. */
export type Demand = {readonly host: number; readonly device: number; readonly deviceLeft: number};

export type Native = {
	/** The package's version that the addon was built for. */
	readonly version: string;
	/** Name of the instruction set in use: 'avx512bf16', 'avx512', 'avx2', 'neonbf16', 'neon' or 'generic'. */
	readonly cpu: string;
	/** Threads of the one pool: min(affinity, cgroup quota, FLAB_THREADS). */
	readonly threads: number;

	/** Throws with a system error code (ENOENT, ...) in `code`. */
	mapFile(path: string): MappedFile;
	openModel(model: NativeModel): ModelHandle;
	/** Lets go of a model's memory; its handle is of no use any more. A job that runs ends first. */
	closeModel(model: ModelHandle): void;
	/**
	 * How many devices a backend's library sees. Rejects with the reason there are none: ERR_NO_DRIVER, ERR_OLD_DRIVER, ERR_NO_DEVICE,
	 * ERR_NO_BACKEND (the library is not there, or not ours).
	 */
	countDevices(library: string): Job<number>;
	/** What each is. Rejects with those. */
	listDevices(library: string): Job<readonly DeviceInfo[]>;
	/** Rejects with those, or with ERR_DEVICE_BUSY, ERR_DEVICE_UNSUPPORTED, ERR_DEVICE_MEMORY, ERR_DEVICE_FAULT. Closed when its models are, and by closeDevice. */
	openDevice(input: OpenDeviceInput): Job<OpenedDevice>;
	closeDevice(device: DeviceHandle): void;
	/** Threads that each job started from now on (by this JavaScript thread) works on, at most; 0 lifts the limit. Jobs keep the limit that they started with. */
	limitThreads(threads: number): void;
	/**
	 * Resident memory of the process that jobs started from now on (by this JavaScript thread) keep it below, in bytes; 0 lifts
	 * the limit. Jobs keep the limit that they started with; one that can't fails with ERR_MEMORY, in a sentence that names the smallest limit that it can.
	 */
	limitMemory(bytes: number): void;
	/** What this process may use, and by whose word. */
	resources(): Resources;
	/** Gives memory that was freed, but is kept for later, back to the system. */
	returnFreeMemory(): void;
	/** What an operation takes at least, besides what the process holds already. `candidates`: layers that are scored, views that are measured. */
	leastMemory(input: {readonly model: ModelHandle; readonly texts: PackedTexts; readonly operation: 'scoreLayers' | 'measure' | 'rankNeurons' | 'compare'; readonly candidates: number}): Demand;

	// progress: token-layers
	scoreLayers(input: ScoreLayersInput, onProgress?: JobProgress): Job<LayerScores>;
	measure(input: MeasureInput, onProgress?: JobProgress): Job<Measures>;
	rankNeurons(input: RankNeuronsInput, onProgress?: JobProgress): Job<NeuronRanks>;
	compare(input: CompareInput, onProgress?: JobProgress): Job<Comparison>;
	/** [positions, kept tokens] row-major. */
	logits(input: LogitsInput, onProgress?: JobProgress): Job<Float32Array>;
	/** Progress in bytes written. Rejects with a system error code in `code` and the path in `file`. */
	writeFiles(files: readonly WriteFile[], onProgress?: JobProgress): Job<number>;

	// Kernels over callers' tensors.
	// `itemBytes`: of an element, where it is not an element of the arrays.
	sliceRows(data: NodeJS.TypedArray, rows: number, columns: number, keep: Uint32Array, out: NodeJS.TypedArray, itemBytes?: number): Job<void>;
	sliceColumns(data: NodeJS.TypedArray, rows: number, columns: number, keep: Uint32Array, out: NodeJS.TypedArray, itemBytes?: number): Job<void>;
	// Without `out` the result is new memory; with it, it is there, and the promise has no value.
	/** [rows] KL(p || q) of each row of logits, nats. */
	klDivergence(p: KernelMatrix, q: KernelMatrix, out?: Float64Array): Job<Float64Array>;
	/** [F] scores of neurons from activations [T, F] (unused by 'magnitude'), `down` [D, F], and for 'magnitude' `gate`, `up` [F, D]. */
	neuronScores(input: {readonly metric: NeuronMetric; readonly activations?: KernelMatrix; readonly down?: KernelMatrix; readonly gate?: KernelMatrix; readonly up?: KernelMatrix}, out?: Float64Array): Job<Float64Array>;
	/** [rows, count] ascending indices of the `count` largest of each row; equal values go to the lower index. */
	topK(scores: KernelMatrix<ComputeDtype | 'F64'>, count: number, out?: Uint32Array): Job<Uint32Array>;
};
