import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, fileError, FlabError} from '../errors.js';
import {isRecord, type JsonRecord} from './json.js';
import {readModel, type TokenizerModel} from './model.js';

/** A chat template and where it was found. */
export type ChatTemplate = {readonly file: string; readonly template: string};

/** The tokenizer of a checkpoint folder. Absent files are undefined. */
export type TokenizerFiles = {
	readonly directory: string;
	/** tokenizer.json, as text and as what it means. */
	readonly text: string;
	readonly model: TokenizerModel;
	/** tokenizer_config.json */
	readonly config: JsonRecord | undefined;
	/** special_tokens_map.json */
	readonly specialTokensMap: JsonRecord | undefined;
	/** vocab.json: token to id */
	readonly vocabulary: JsonRecord | undefined;
	/** merges.txt */
	readonly merges: string | undefined;
	/** added_tokens.json: token to id */
	readonly addedTokens: JsonRecord | undefined;
	readonly chatTemplates: readonly ChatTemplate[];
	/** The first of the files with a vocabulary that can't be rewritten: a SentencePiece or tiktoken model. */
	readonly sentencePieceFile: string | undefined;
	/** All of them. */
	readonly unprunable: readonly string[];
};

/** Vocabularies in formats of their own; `tokenizer.json` says the same and is preferred by every reader of it. */
const unprunableFiles = [
	'tokenizer.model', 'tokenizer.model.v3', 'spiece.model', 'sentencepiece.bpe.model', 'tekken.json', 'tiktoken.model', 'qwen.tiktoken',
] as const;

/**
 * Reads all tokenizer files of a checkpoint folder.
 *
 * @throws `ERR_BAD_TOKENIZER` without a usable tokenizer.json or with a damaged companion; `ERR_READ` if a file can't be read.
 */
export const readTokenizer = async (directory: string): Promise<TokenizerFiles> => {
	const text = await optionalText(directory, 'tokenizer.json');
	if (text === undefined) {
		throw noTokenizer(directory);
	}

	const path = join(directory, 'tokenizer.json');
	const config = await optionalJson(directory, 'tokenizer_config.json');
	const unprunable = await presentFiles(directory, unprunableFiles);
	return {
		directory,
		text,
		model: readModel(parseObject(text, path), path),
		config,
		specialTokensMap: await optionalJson(directory, 'special_tokens_map.json'),
		vocabulary: await optionalJson(directory, 'vocab.json'),
		merges: await optionalText(directory, 'merges.txt'),
		addedTokens: await optionalJson(directory, 'added_tokens.json'),
		chatTemplates: await chatTemplates(directory, config),
		sentencePieceFile: unprunable[0],
		unprunable,
	};
};

const chatTemplates = async (directory: string, config: JsonRecord | undefined): Promise<ChatTemplate[]> => {
	const names = await templateNames(directory);
	const texts = await Promise.all(names.map(async file => ({file, template: await optionalText(directory, file)})));
	const json = await optionalJson(directory, 'chat_template.json');
	return [
		...texts.map(({file, template}) => ({file, template: template ?? ''})),
		...templatesIn(json?.chat_template).map(template => ({file: 'chat_template.json', template})),
		...templatesIn(config?.chat_template).map(template => ({file: 'tokenizer_config.json', template})),
	];
};

// Either one template, or a list of {name, template}.
const templatesIn = (value: unknown): string[] => {
	const list: readonly unknown[] = Array.isArray(value) ? value : [value];
	return list.map(item => isRecord(item) ? item.template : item).filter(item => typeof item === 'string');
};

const templateNames = async (directory: string): Promise<string[]> => {
	const more = await readdir(join(directory, 'additional_chat_templates')).catch(() => []);
	return [
		...await presentFiles(directory, ['chat_template.jinja']),
		...more.filter(name => name.endsWith('.jinja')).sort().map(name => join('additional_chat_templates', name)),
	];
};

const presentFiles = async (directory: string, names: readonly string[]): Promise<string[]> => {
	const present = new Set(await readdir(directory).catch((cause: unknown) => {
		throw fileError('read', directory, cause);
	}));
	return names.filter(name => present.has(name));
};

const optionalJson = async (directory: string, name: string): Promise<JsonRecord | undefined> => {
	const text = await optionalText(directory, name);
	return text === undefined ? undefined : parseObject(text, join(directory, name));
};

const optionalText = async (directory: string, name: string): Promise<string | undefined> => {
	try {
		return (await readFile(join(directory, name), 'utf8')).replace(/^\uFEFF/, '');
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
			return undefined;
		}

		throw fileError('read', join(directory, name), error);
	}
};

const parseObject = (text: string, file: string): JsonRecord => {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (cause) {
		throw new FlabError('ERR_BAD_TOKENIZER', `${file}: not valid JSON: ${(cause as Error).message}`, {
			file, cause, hint: 'The file is damaged or incomplete: fetch it again.',
		});
	}

	if (!isRecord(value)) {
		throw new FlabError('ERR_BAD_TOKENIZER', `${file}: expected a JSON object, got ${describe(value)}`, {file});
	}

	return value;
};

const noTokenizer = (directory: string): FlabError => new FlabError('ERR_BAD_TOKENIZER', `${directory}: expected tokenizer.json, found none`, {
	file: join(directory, 'tokenizer.json'),
	hint: 'Make one with Python: AutoTokenizer.from_pretrained(folder).save_pretrained(folder), with the transformers package.',
});
