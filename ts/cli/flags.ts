import type {Command} from 'commander';
import {computeChoices, defaults, deviceChoices, ffnStrategies, layerMetrics, layerSearches, positionChoices, textFormats} from '../plan/choices.js';

/** What the command line said, as commander gives it: texts, lists of texts, true and false. */
export type Flags = {
	readonly corpus?: readonly string[];
	readonly corpusField?: readonly string[];
	readonly calibration?: readonly string[];
	readonly calibrationField?: readonly string[];
	readonly eval?: readonly string[];
	readonly evalField?: readonly string[];
	readonly extension?: readonly string[];
	readonly format?: string;
	readonly maxTexts?: string;
	readonly maxTokens?: string;
	readonly evalMaxTexts?: string;
	readonly evalMaxTokens?: string;
	readonly vocab?: string;
	readonly vocabMultiple?: string;
	readonly dropLayers?: string;
	readonly layerMetric?: string;
	readonly layerSearch?: string;
	readonly positions?: string;
	readonly ffnWidth?: string;
	readonly ffnStrategy?: string;
	readonly ffnMultiple?: string;
	readonly seed?: string;
	readonly compute?: string;
	readonly device?: string;
	readonly maxDeviceMemory?: string;
	readonly threads?: string;
	readonly maxMemory?: string;
	readonly recipe?: string;
	readonly plan?: string;
	readonly out?: string;
	readonly maxShardSize?: string;
	readonly force?: boolean;
	readonly verify?: boolean;
	readonly json?: boolean;
	readonly report?: string;
	readonly quiet?: boolean;
};

const choices = (values: readonly string[]): string => values.join(' | ');

/** The words that may stand after a flag, for completions. */
export const flagValues: Readonly<Record<string, readonly string[]>> = {
	'--format': textFormats,
	'--vocab': ['used', 'min-count:', 'top:', 'coverage:', 'none'],
	'--layer-metric': layerMetrics,
	'--layer-search': layerSearches,
	'--positions': positionChoices,
	'--ffn-strategy': ffnStrategies,
	'--compute': computeChoices,
	'--device': deviceChoices,
};

/** Options in a file. */
export const addRecipeFlag = (command: Command): Command => command
	.optionsGroup('Recipe:')
	.option('--recipe <file>', `JSON file with options of the API, MODEL too; paths in it are from its folder, flags win over it (described by schemas/${command.name()}-options.json of the package)`);

/** Where texts come from. */
export const addTextFlags = (command: Command): Command => command
	.optionsGroup('Texts (files or folders, in UTF-8; JSON lines, CSV, Parquet, plain text, source code):')
	.option('--corpus <path...>', 'texts that the vocabulary is counted on; calibration texts are always counted too')
	.option('--corpus-field <name...>', 'fields of a corpus record that hold its text (default: found by their names)')
	.option('--calibration <path...>', 'texts that layers and neurons are chosen on')
	.option('--calibration-field <name...>', 'fields of a calibration record')
	.option('--max-texts <n>', `calibration texts to take, at most (default: ${defaults.calibration.maxTexts})`)
	.option('--max-tokens <n>', `tokens of a calibration text to take, at most (default: ${defaults.calibration.maxTokens})`)
	.option('--eval <path...>', 'held-out texts: the loss on them is measured before and after, in nats per byte')
	.option('--eval-field <name...>', 'fields of an evaluation record')
	.option('--eval-max-texts <n>', `evaluation texts to take, at most (default: ${defaults.evaluation.maxTexts})`)
	.option('--eval-max-tokens <n>', `tokens of an evaluation text to take, at most (default: ${defaults.evaluation.maxTokens})`)
	.option('--format <name>', `how all these files are read: ${choices(textFormats)} (default: auto, by their names)`)
	.option('--extension <ext...>', 'files of folders to read, by the end of their names, such as .py');

/** What is pruned. */
export const addPruningFlags = (command: Command): Command => command
	.optionsGroup('Vocabulary:')
	.option('--vocab <selection>', 'tokens to keep: used, min-count:N (used N times), top:N (the N most used), coverage:SHARE (of the corpus), or none (default: used if --corpus is given, else none)')
	.option('--vocab-multiple <n>', `round the vocabulary up to a multiple of this many tokens (default: ${defaults.vocabulary.multipleOf})`)
	.optionsGroup('Layers:')
	.option('--drop-layers <layers>', 'how many layers to drop ("4"), or which, counted from 0 ("3,7"; a list has a comma, so layer 3 alone is "3,"), or none (default: none)')
	.option('--layer-metric <name>', `what layers are judged by: ${choices(layerMetrics)} (default: ${defaults.layers.metric})`)
	.option('--search, --layer-search <name>', `score again after every layer, only once, or again with candidates that can't win given up early (for the metric kl): ${choices(layerSearches)} (default: ${defaults.layers.search})`)
	.option('--positions <which>', `tokens of each text at which the KL divergence is taken: ${choices(positionChoices)} (default: ${defaults.layers.positions})`)
	.optionsGroup('FFN:')
	.option('--ffn-width <width>', 'neurons to keep in every layer (8960), or a share below 1 (0.9, rounded to the nearest multiple), or none (default: none)')
	.option('--ffn-strategy <name>', `which neurons: ${choices(ffnStrategies)} (default: ${defaults.ffn.strategy}, the one with the smallest KL divergence)`)
	.option('--ffn-multiple <n>', `the width must be a multiple of this many neurons; 1 allows any (default: ${defaults.ffn.multipleOf})`)
	.option('--seed <n>', `seed of the strategy random (default: ${defaults.ffn.seed})`)
	.optionsGroup('Computation:')
	.option('--compute <dtype>', `dtype of the products: ${choices(computeChoices)} (default: auto, bf16 for bf16 weights, else f32)`)
	.option('--device <name>', `what the model runs on: ${choices(deviceChoices)} | cuda:N (default: ${defaults.device}, the first GPU that can be used and has room, else the CPU)`)
	.option('--max-device-memory <size>', 'memory of the GPU that the run may take, such as 20GB (default: all that is free)');

/** What the computation may take. */
export const addResourceFlags = (command: Command): Command => command
	.optionsGroup('Computation:')
	.option('--threads <n>', 'threads (default: as many as the machine grants)')
	.option('--max-memory <size>', 'resident memory that the process may reach, such as 4GB, 500MB or 2GiB; too little is refused, with what is enough (default: each computation takes at most half of what is available)');

/** How a checkpoint is written. */
export const addOutputFlags = (command: Command): Command => command
	.optionsGroup('Output:')
	.option('-o, --out <dir>', 'folder to write (required); it appears when it is complete and verified')
	.option('--max-shard-size <size>', 'largest weight file: kB, MB, GB are decimal, KiB, MiB, GiB binary (default: 5GB)')
	.option('--force', 'replace the output if it is an empty folder or a checkpoint: config.json, *.safetensors and no folder but additional_chat_templates (default: refuse)')
	.option('--no-verify', 'do not compare the output with the masked original before it is published');

/** What is told, and how. */
export const addTellingFlags = (command: Command): Command => command
	.optionsGroup('Messages:')
	.option('--json', 'print the result, or the error, as one JSON document on standard output (warnings and errors are on standard error as ever)')
	.option('--report <file>', 'write a report too: .json, .md or .html')
	.option('--quiet', 'print only warnings and errors: no progress, no table');
