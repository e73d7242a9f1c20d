import {copyFile, mkdir, readFile, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {modelCard} from '../checkpoint/card.js';
import {pruneConfig} from '../checkpoint/config.js';
import {formatJson} from '../checkpoint/jsonformat.js';
import type {JsonObject} from '../checkpoint/json.js';
import {planOutput} from '../checkpoint/output.js';
import {FlabError, fileError, throwIfAborted} from '../errors.js';
import {runJob} from '../native/jobs.js';
import {keepLists, planToJson} from '../plan/plan.js';
import type {Plan} from '../plan/schema.js';
import type {Control} from '../progress.js';
import {alphabet} from '../tokenizer/bytes.js';
import {readTokenizer} from '../tokenizer/files.js';
import {namedTokens} from '../tokenizer/mandatory.js';
import {remapTokenIds} from '../tokenizer/remap.js';
import {rewriteTokenizer} from '../tokenizer/rewrite.js';
import type {RewrittenTokenizer} from '../tokenizer/rewrite.js';
import type {Source} from './source.js';

/** Name of the plan in the output folder. */
export const planFile = 'flab-pruner.json';

/**
 * Writes everything but the weights into the folder of a pruned checkpoint: configs and tokenizer rewritten, the plan, `index`
 * of the weights, and what else belongs to the model as it is. Returns what had to be given up, as sentences.
 */
export const writeOthers = async (source: Source, plan: Plan, folder: string, index: JsonObject | undefined, control: Control): Promise<readonly string[]> => {
	const keep = keepLists(plan);
	const texts = new Map<string, string>();
	if (index) {
		texts.set('model.safetensors.index.json', formatJson(index));
	}

	const configs = rewrittenConfigs(source, plan);
	const tokenizer = keep.tokens ? await prunedTokenizer(source, keep.tokens) : undefined;
	for (const [name, text] of [...configs.files, ...tokenizer?.files ?? [], [planFile, planToJson(plan)] as const]) {
		texts.set(name, text);
	}

	texts.set('README.md', await card(source, plan));
	const dropped = new Set(tokenizer?.dropped.map(({file}) => file));
	const {sideFiles, dir} = source.checkpoint;
	for (const name of [...sideFiles.tokenizer, ...sideFiles.other]) {
		throwIfAborted(control.signal);
		if (!texts.has(name) && !dropped.has(name)) {
			await copy(join(dir, name), join(folder, name));
		}
	}

	for (const [name, text] of texts) {
		await write(join(folder, name), text);
	}

	return configs.warnings;
};

const prunedTokenizer = async ({checkpoint, layout}: Source, keep: Uint32Array): Promise<RewrittenTokenizer> => {
	const files = await readTokenizer(checkpoint.dir);
	const kept = new Set(keep);
	// A plan may have been edited: without these tokens some text could not be encoded, or a special token is gone.
	const lacking = [...alphabet(files.model), ...namedTokens(files)].find(id => id < layout.spec.vocabulary && !kept.has(id));
	if (lacking !== undefined) {
		throw new FlabError('ERR_BAD_PLAN', `vocabulary.keep: expected the token ${lacking} (${JSON.stringify(files.model.tokens[lacking])}) to stay, which the tokenizer can't do without; it is not there`, {
			hint: 'Make the plan again with flab-pruner plan.',
		});
	}

	return rewriteTokenizer(files, keep);
};

/** Writes the weights of a pruned checkpoint into an empty folder, sliced straight from the mapped source. Returns their index, where they are in several files. */
export const writeWeights = async ({checkpoint, layout, native, map}: Source, plan: Plan, folder: string, maxShardBytes: number, {signal, onProgress}: Control): Promise<JsonObject | undefined> => {
	const {shards, index} = planOutput({checkpoint, layout, keep: keepLists(plan), maxShardBytes});
	const files = shards.map(({file, header, tensors}) => ({
		path: join(folder, file),
		header,
		pieces: tensors.flatMap(({piece}) => piece ? [{...piece, file: map(piece.path)}] : []),
	}));
	await runJob(progress => native.writeFiles(files, progress), {
		signal,
		onProgress: onProgress && ((done, total) => {
			onProgress({phase: 'write', done, total, unit: 'bytes'});
		}),
	});
	return index;
};

const rewrittenConfigs = ({checkpoint, layout}: Source, plan: Plan): {readonly files: ReadonlyMap<string, string>; readonly warnings: readonly string[]} => {
	const keep = keepLists(plan);
	const warnings: string[] = [];
	const remapped = (json: JsonObject, file: string): JsonObject => {
		if (!keep.tokens) {
			return json;
		}

		const {json: changed, warnings: lost} = remapTokenIds(json, keep.tokens, {file});
		warnings.push(...lost);
		return changed;
	};

	const {config, configText, generationConfig, generationConfigText} = checkpoint;
	const files = new Map([['config.json', formatJson(remapped(pruneConfig(config, layout, keep), 'config.json'), configText)]]);
	if (generationConfig) {
		files.set('generation_config.json', formatJson(remapped(generationConfig, 'generation_config.json'), generationConfigText));
	}

	return {files, warnings};
};

const card = async ({checkpoint: {dir, sideFiles}}: Source, {generator, stages}: Plan): Promise<string> => {
	const path = sideFiles.card && join(dir, sideFiles.card);
	const text = path === undefined ? undefined : await readFile(path, 'utf8').catch((cause: unknown) => {
		throw fileError('read', path, cause);
	});
	return modelCard(text, {version: generator.version, before: stages[0]!, after: stages.at(-1)!});
};

const copy = async (from: string, to: string): Promise<void> => {
	try {
		await mkdir(dirname(to), {recursive: true});
		await copyFile(from, to);
	} catch (cause) {
		throw fileError('write', to, cause);
	}
};

const write = async (path: string, text: string): Promise<void> => {
	try {
		await mkdir(dirname(path), {recursive: true});
		await writeFile(path, text, {flag: 'wx'});
	} catch (cause) {
		throw fileError('write', path, cause);
	}
};
