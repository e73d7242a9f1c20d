// The folder that a reader of the documents stands in: the package is installed, and there is a model with texts.

import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import process from 'node:process';
import {text} from 'node:stream/consumers';
import type {ExecutionContext} from 'ava';
import {packageRoot} from '../../ts/native/root.js';

/** A folder with `examples/`, `model/`, `src/`, `prompts.jsonl` and `heldout.jsonl`, and flab-pruner installed. */
export type Sandbox = {
	readonly folder: string;
	/** Runs a program there to its end. */
	readonly run: (command: string, ...argv: readonly string[]) => Promise<Outcome>;
};

export type Outcome = {
	readonly code: number | null;
	/** Both streams; what came first is first only if the program sees to it (2>&1). */
	readonly output: string;
};

/** Makes the folder; it is removed after the test. */
export const createSandbox = async (t: ExecutionContext, environment: Readonly<Record<string, string>> = {}): Promise<Sandbox> => {
	const folder = await mkdtemp(join(tmpdir(), 'flab-docs-'));
	t.teardown(async () => rm(folder, {recursive: true, force: true}));
	await install(folder);
	await cp(join(packageRoot, 'examples'), join(folder, 'examples'), {recursive: true});
	await makeModel(folder);
	// Without the test runner's own settings, as a reader's shell has none of them.
	const {NODE_OPTIONS: _, NODE_CHANNEL_FD: __, ...inherited} = process.env;
	// The home folder too: what a block writes there (a shell's completions) goes with the sandbox.
	const env = {...inherited, ...environment, HOME: folder, PATH: [join(folder, 'node_modules/.bin'), dirname(process.execPath), inherited['PATH']].join(':')};
	return {
		folder,
		async run(command, ...argv) {
			const child = spawn(command, argv, {cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe']});
			const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close') as Promise<[number | null]>]);
			return {code, output: stdout + stderr};
		},
	};
};

/** Whether a program is there. */
export const isInstalled = async (program: string): Promise<boolean> => {
	const [code] = await once(spawn('sh', ['-c', `command -v ${program}`], {stdio: 'ignore'}), 'close') as [number | null];
	return code === 0;
};

const install = async (folder: string): Promise<void> => {
	const bin = join(folder, 'node_modules/.bin');
	await mkdir(bin, {recursive: true});
	await symlink(packageRoot, join(folder, 'node_modules/flab-pruner'));
	await writeFile(join(bin, 'flab-pruner'), `#!/bin/sh\nexec node '${join(packageRoot, 'dist/cli/main.js')}' "$@"\n`, {mode: 0o755});
};

// Tiny-coder under the names that the documents use for the reader's own: its files apart from its texts, and those as one has them.
const makeModel = async (folder: string): Promise<void> => {
	const example = join(folder, 'examples/tiny-coder');
	await cp(example, join(folder, 'model'), {recursive: true, filter: source => !/\/(?:data|training)$/.test(source)});
	await cp(join(example, 'data/calibration.jsonl'), join(folder, 'prompts.jsonl'));
	await cp(join(example, 'data/heldout.jsonl'), join(folder, 'heldout.jsonl'));
	await mkdir(join(folder, 'src'));
	const records = (await readFile(join(example, 'data/corpus.jsonl'), 'utf8')).trim().split('\n');
	for (const [place, record] of records.entries()) {
		await writeFile(join(folder, 'src', `${place}.py`), (JSON.parse(record) as {content: string}).content);
	}
};
