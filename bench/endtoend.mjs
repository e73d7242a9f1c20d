// Cases of the whole program, each a process of its own: a structural prune from checkpoint to checkpoint, and the start.

import {copyFile, mkdir, open, rm, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {writeCheckpoint} from './checkpoint.mjs';
import {removeFolder, run, temporaryFolder} from './processes.mjs';

const peak = fileURLToPath(new URL('peak.cjs', import.meta.url));

const timed = async action => {
	const start = performance.now();
	const result = await action();
	return [(performance.now() - start) / 1000, result];
};

/** A Node with these arguments, timed from its start to its end. */
const node = async (root, args, environment) => {
	const [seconds, peakBytes] = await timed(async () => run(`node ${args.join(' ')}`, process.execPath, ['--require', peak, ...args], {cwd: root, environment}));
	return {seconds, peakBytes: Number(peakBytes)};
};

/** The cases, on the shapes that flab_bench has models of. `compared` is always there, with or without peers. */
export const endToEndCases = ({root, environment, models}) => [
	...models.map(model => pruneCase({root, environment, model})),
	...[['flab-pruner --help', ['dist/cli/main.js', '--help']], ['import(\'flab-pruner\')', ['--input-type=module', '--eval', 'import(\'flab-pruner\')']]]
		.map(([name, args]) => ({
			name: `start-up/${name}`,
			compared: ['node alone'],
			open: async () => ({
				sides: [{run: async () => node(root, args)}, {name: 'node alone', run: async () => node(root, ['--eval', '0'])}],
				async close() {},
			}),
		})),
];

const pruneCase = ({root, environment, model}) => {
	// Every eighth layer.
	const dropped = Array.from({length: Math.ceil(model.layers / 8)}, (_, i) => 8 * i + 4);
	return {
		name: `prune/${model.name}/drop ${dropped.length} of ${model.layers} layers, FFN width 0.9`,
		compared: ['copy of the output'],
		async open() {
			const folder = await temporaryFolder();
			const input = join(folder, 'input');
			const output = join(folder, 'output');
			const copy = join(folder, 'copy');
			await mkdir(input);
			await writeCheckpoint(input, model);
			const weights = join(output, 'model.safetensors');
			return {
				sides: [
					{
						async run() {
							await rm(output, {recursive: true, force: true});
							const answer = await node(root, ['dist/cli/main.js', 'prune', input, '--out', output, '--drop-layers', `${dropped.join(',')},`,
								'--ffn-width', '0.9', '--ffn-strategy', 'top', '--no-verify', '--quiet'], environment);
							return {...answer, bytes: (await stat(weights)).size};
						},
					},
					{
						name: 'copy of the output',
						async run() {
							await rm(copy, {force: true});
							const [seconds] = await timed(async () => {
								await copyFile(weights, copy);
								const file = await open(copy, 'r+');
								await file.sync();
								await file.close();
							});
							return {seconds};
						},
					},
				],
				close: async () => removeFolder(folder),
			};
		},
	};
};
