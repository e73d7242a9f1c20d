import {Environment, Interpreter, Template} from '@huggingface/jinja';
import type {TokenizerFiles} from './files.js';

/**
 * Texts whose tokens a chat model needs: a few conversations through each chat template, and the template's own words.
 *
 * A template that fails to render, wholly or for some conversations, only gives its words.
 */
export const chatTemplateTexts = ({chatTemplates, config}: Pick<TokenizerFiles, 'chatTemplates' | 'config'>): string[] => {
	const specials = Object.fromEntries(Object.entries(config ?? {})
		.filter(([key]) => key.endsWith('_token'))
		.map(([key, value]) => [key, typeof value === 'object' && value !== null && 'content' in value ? value.content : value])
		.filter(([, value]) => typeof value === 'string'));
	return [...new Set(chatTemplates.flatMap(({template}) => [...renderings(template, specials), ...templateWords(template)]))]
		.filter(text => text !== '');
};

const user = {role: 'user', content: 'Hello'};
const assistant = {role: 'assistant', content: 'Hi'};
const system = {role: 'system', content: 'You write code.'};
const call = {type: 'function', function: {name: 'run', arguments: {code: '1'}}};
const tool = {
	type: 'function',
	function: {
		name: 'run',
		description: 'Run code',
		parameters: {type: 'object', properties: {code: {type: 'string', description: 'The code'}}, required: ['code']},
	},
};

const conversations = [
	{messages: [user]},
	{messages: [system, user]},
	{messages: [user, assistant, user]},
	{messages: [system, user, assistant, user, assistant]},
	{messages: [user], tools: [tool]},
	{messages: [system, user], tools: [tool]},
	{messages: [user, {role: 'assistant', content: '', tool_calls: [call]}, {role: 'tool', name: 'run', content: '1'}], tools: [tool]},
].flatMap(conversation => [true, false].map(add_generation_prompt => ({...conversation, add_generation_prompt})));

const renderings = (template: string, specials: Readonly<Record<string, unknown>>): string[] => {
	try {
		const {parsed} = new Template(template);
		return conversations.map(conversation => render(parsed, {...specials, ...conversation}));
	} catch {
		return [];
	}
};

// Not Template.render: its strftime_now gives today's date, and two runs on different days must keep the same tokens.
const render = (parsed: Template['parsed'], variables: Readonly<Record<string, unknown>>): string => {
	const environment = new Environment();
	for (const [name, value] of Object.entries({...globals, ...variables})) {
		environment.set(name, value);
	}

	try {
		return String(new Interpreter(environment).run(parsed).value);
	} catch {
		return '';
	}
};

const globals = {
	true: true, True: true, false: false, False: false, none: null, None: null,
	raise_exception: (message: unknown) => {
		throw new Error(String(message));
	},
	range: (start: number, stop?: number, step = 1) => {
		const [from, to] = stop === undefined ? [0, start] : [start, stop];
		return Array.from({length: Math.max(0, Math.ceil((to - from) / step))}, (_, index) => from + (index * step));
	},
	strftime_now: () => '26 Jul 2024',
};

/** Text between the tags of a Jinja template and the string literals inside them; for templates with the date, also dates. */
export const templateWords = (template: string): string[] => {
	const parts = template.split(/(\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\}|\{#[\s\S]*?#\})/);
	const words = parts.flatMap((part, index) => index % 2 === 0 ? [part] : part.startsWith('{#') ? [] : stringLiterals(part));
	return [...words, ...(template.includes('strftime_now') ? dates : [])].filter(word => word.trim() !== '' || word === '\n');
};

const stringLiterals = (code: string): string[] =>
	[...code.matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/gs)].map(([, single, double]) => unescaped(single ?? double ?? ''));

const escapes: Readonly<Record<string, string>> = {n: '\n', t: '\t', r: '\r'};

const unescaped = (literal: string): string => literal.replaceAll(/\\(.)/gs, (_, character: string) => escapes[character] ?? character);

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const dates = Array.from({length: 31}, (_, index) =>
	`${String(index + 1).padStart(2, '0')} ${months[index % 12]} ${2024 + (index % 12)}`).flatMap(date => [date, ` ${date}`]);
