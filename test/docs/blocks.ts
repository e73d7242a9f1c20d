// The code blocks of a Markdown file. What the reader need not see stands in an HTML comment right before the fence:
//
//     <!-- not run: needs a cluster -->   the block is checked for its syntax only
//     <!-- file: train.py -->             the block is written to this file, for later blocks to use
//     <!-- part of: examples/prune.mjs -->  the block's lines stand in this file, which a test runs
//     <!-- needs: python3 -->             skipped, and said so, where there is no such program
//     <!-- before: rm -rf pruned -->     a command that the tests run first, as blocks share a folder
//     <!-- exit: 3 -->                    the block ends with this exit code
//
// A `text` block is what the block before it prints.

import {readFile} from 'node:fs/promises';

const noteNames = ['not run', 'file', 'part of', 'needs', 'before', 'exit'] as const;
type NoteName = (typeof noteNames)[number];

/** A fenced code block. */
export type Block = {
	/** FILE:LINE of the opening fence. */
	readonly place: string;
	readonly line: number;
	readonly language: string;
	readonly code: string;
	readonly notes: Readonly<Partial<Record<NoteName, string>>>;
};

/** Every code block of a file. @throws if there is one without a language, one that never ends, or one that is only indented */
export const readBlocks = async (path: string, name: string): Promise<readonly Block[]> => blocksOf(await readFile(path, 'utf8'), name);

/** The same of a text; `name` is for messages. */
export const blocksOf = (markdown: string, name: string): readonly Block[] => {
	const lines = markdown.split('\n');
	const blocks: Block[] = [];
	for (let at = 0; at < lines.length; at++) {
		const place = `${name}:${at + 1}`;
		const [, indent, language] = /^(\s*)```(.*)$/.exec(lines[at]!) ?? [];
		if (language === undefined) {
			refuseIndented(lines, at, place);
			continue;
		}

		if (!/^[a-z]+$/.test(language)) {
			throw new Error(`${place}: expected the block's language after \`\`\`, got ${JSON.stringify(language)}`);
		}

		const end = lines.indexOf(`${indent}\`\`\``, at + 1);
		if (end === -1) {
			throw new Error(`${place}: expected the block to end`);
		}

		const code = lines.slice(at + 1, end).map(line => line.slice(indent!.length)).join('\n');
		blocks.push({place, line: at + 1, language, code: `${code}\n`, notes: notesBefore(lines, at, place)});
		at = end;
	}

	return blocks;
};

// Four spaces after an empty line are a code block too (in a list they are a paragraph of an item, but no file of ours has such).
const refuseIndented = (lines: readonly string[], at: number, place: string): void => {
	if (/^(?: {4}|\t)/.test(lines[at]!) && (at === 0 || lines[at - 1] === '')) {
		throw new Error(`${place}: expected a block of code between fences, with its language, got an indented one`);
	}
};

const notesBefore = (lines: readonly string[], at: number, place: string): Block['notes'] => {
	const notes: Partial<Record<NoteName, string>> = {};
	for (let before = at - 1; before >= 0; before--) {
		const [, name, value] = /^\s*<!-- ([a-z ]+): (.*) -->$/.exec(lines[before]!) ?? [];
		if (name === undefined) {
			break;
		}

		if (!(noteNames as readonly string[]).includes(name)) {
			throw new Error(`${place}: expected one of ${noteNames.join(', ')} in the comment, got ${name}`);
		}

		notes[name as NoteName] = value;
	}

	return notes;
};
