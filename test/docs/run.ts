// Runs the code blocks of a document, one after the other, as a reader would.

import {chmod, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import ts from 'typescript';
import {packageRoot} from '../../ts/native/root.js';
import type {Block} from './blocks.js';
import {difference} from './expected.js';
import {isInstalled} from './sandbox.js';
import type {Outcome, Sandbox} from './sandbox.js';

/** Runs them all; the first that is wrong fails the test with its file and line. */
export const runBlocks = async (t: ExecutionContext, blocks: readonly Block[], sandbox: Sandbox): Promise<void> => {
	// Undefined where there is nothing that could have printed; without output where it was not run.
	let printed: {readonly output?: string} | undefined;
	for (const block of blocks) {
		const {place, language, code, notes} = block;
		if (language === 'text') {
			t.truthy(printed, `${place}: expected a block before this one that prints it`);
			const wrong = printed?.output === undefined ? undefined : difference(code, printed.output);
			t.is(wrong, undefined, `${place}: ${wrong}`);
			printed = undefined;
			continue;
		}

		printed = {};
		if (notes['part of'] !== undefined) {
			const whole = await readFile(join(packageRoot, notes['part of']), 'utf8');
			t.true(whole.includes(code), `${place}: expected lines of ${notes['part of']}`);
		} else if (notes.needs !== undefined && !await isInstalled(notes.needs)) {
			t.log(`skipped: ${place} needs ${notes.needs}, which is not installed`);
		} else if (notes['not run'] === undefined) {
			printed = await runBlock(t, block, sandbox);
		} else {
			t.log(`not run: ${place}: ${notes['not run']}`);
			await checkSyntax(t, block, sandbox);
		}
	}
};

const runBlock = async (t: ExecutionContext, block: Block, {folder, run}: Sandbox): Promise<{readonly output: string} | undefined> => {
	const {place, line, language, code, notes} = block;
	const {file} = notes;
	if (file !== undefined) {
		await checkSyntax(t, block, {folder, run});
		await writeFile(join(folder, file), code);
		await chmod(join(folder, file), 0o755);
		return undefined;
	}

	if (notes.before !== undefined) {
		const {code, output} = await run('bash', '-c', notes.before);
		t.is(code, 0, `${place}: ${notes.before}: ${output}`);
	}

	const outcome = await runAs(language, code, `block-${line}`, {folder, run});
	if (outcome === undefined) {
		t.fail(`${place}: expected a language that can be run, got ${language}`);
		return undefined;
	}

	t.is(outcome.code, Number(notes.exit ?? 0), `${place}: ${outcome.output}`);
	return outcome;
};

const runAs = async (language: string, code: string, name: string, {folder, run}: Sandbox): Promise<Outcome | undefined> => {
	const script = async (suffix: string, text: string): Promise<string> => {
		const path = join(folder, `${name}.${suffix}`);
		await writeFile(path, text);
		return path;
	};

	switch (language) {
		case 'sh': {
			return run('bash', '-euo', 'pipefail', '-c', `exec 2>&1\n${code}`);
		}

		case 'js': {
			return run('node', await script('mjs', code));
		}

		case 'ts': {
			return run('node', await script('mjs', ts.transpileModule(code, {compilerOptions: {module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022}}).outputText));
		}

		case 'python': {
			return run('python3', await script('py', code));
		}

		case 'json': {
			JSON.parse(code);
			return {code: 0, output: ''};
		}

		default: {
			return undefined;
		}
	}
};

// What is not run is still no nonsense.
const checkSyntax = async (t: ExecutionContext, {place, language, code, line}: Block, {folder, run}: Sandbox): Promise<void> => {
	const suffix = {sh: 'sh', js: 'mjs', ts: 'mts', python: 'py', json: 'json', yaml: 'yml'}[language];
	t.truthy(suffix, `${place}: expected a language that can be checked, got ${language}`);
	const path = join(folder, `block-${line}.${suffix}`);
	await writeFile(path, code);
	const checks: Readonly<Record<string, readonly string[]>> = {
		sh: ['bash', '-n', path],
		js: ['node', '--check', path],
		python: ['python3', '-c', 'import ast, sys; ast.parse(open(sys.argv[1]).read())', path],
	};
	const check = checks[language];
	if (check && await isInstalled(check[0]!)) {
		const {code: exit, output} = await run(check[0]!, ...check.slice(1));
		t.is(exit, 0, `${place}: ${output}`);
	}
};
