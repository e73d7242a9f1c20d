// Every script in examples/ runs as its first lines say, and does what it is for.

import {existsSync, readdirSync} from 'node:fs';
import {readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {packageRoot} from '../../ts/native/root.js';
import {difference} from './expected.js';
import {createSandbox, isInstalled} from './sandbox.js';

type Example = {
	readonly command: readonly string[];
	/** What it prints; see expected.ts. */
	readonly prints: string;
	readonly code?: number;
	/** Files that are there afterwards. */
	readonly makes?: readonly string[];
	/** Files that are not. */
	readonly leaves?: readonly string[];
	readonly environment?: Readonly<Record<string, string>>;
};

const node = (name: string, ...argv: readonly string[]): readonly string[] => ['node', `examples/${name}`, ...argv];

const examples: Readonly<Record<string, Example>> = {
	'prune.mjs': {
		command: node('prune.mjs'),
		prints: 'original: 4281472 parameters, KL 0.000 nats, loss 0.8862 nats per byte\nvocabulary: ...\nlayers: ...\nffn: 3018880 parameters, KL 0.091 nats, loss 1.0129 nats per byte\n... bytes in pruned; relative error of the logits 0\n...',
		makes: ['pruned/model.safetensors', 'pruned/tokenizer.json', 'pruned/flab-pruner.json'],
	},
	'plan-and-apply.mjs': {
		command: node('plan-and-apply.mjs'),
		prints: 'dropped layer 3; nats without each: 3: 0.031, ...\ndropped layer ...\nwrote 9 files, 3739776 parameters, to pruned',
		makes: ['plan.json', 'plan.md', 'pruned/model.safetensors'],
	},
	'vocabulary-only.mjs': {
		command: node('vocabulary-only.mjs', 'examples/tiny-coder', 'fewer', 'src'),
		prints: '6144 tokens before, 4736 after, kept because of: {\nused: 4077,\n...\n}\n39 texts of the corpus encoded with both tokenizers, 0 differ',
		makes: ['fewer/model.safetensors'],
	},
	'target-size.mjs': {
		command: node('target-size.mjs', 'examples/tiny-coder', 'pruned', '3.3e6'),
		prints: '4864 tokens: 3953792 parameters\n0 layers less, ...\n1 layers less, ...\n2 layers less, ...\nwrote ... parameters to pruned',
		makes: ['pruned/model.safetensors'],
	},
	'kernels.mjs': {
		command: node('kernels.mjs'),
		prints: 'KL 0.0018084 0.0018072\n288 of 576 neurons, the first: 0,2,4,6\nBF16 [288,128], BF16 [288,128], BF16 [128,288]',
	},
	'worker-pool.mjs': {
		command: node('worker-pool.mjs', 'examples/tiny-coder', '3'),
		prints: `${Array.from({length: 10}, (_, layer) => `layer ${layer}: 288 neurons, the first ...`).join('\n')}`,
	},
	'cancel.mjs': {
		command: node('cancel.mjs', 'examples/tiny-coder', '0.01'),
		prints: '...\nstopped: not done after 0.01 s',
		code: 130,
		leaves: ['pruned'],
	},
	'recipe.json': {
		command: ['sh', '-c', 'flab-pruner prune --recipe examples/recipe.json --out pruned'],
		prints: '...\n+ FFN 4,864 8 448 3.02 M 6.04 MB 0.0913 0.9783 +14.0 %\n...\nwritten to pruned: ...\n...',
		makes: ['pruned/model.safetensors'],
	},
	'from_python.py': {
		command: ['python3', 'examples/from_python.py'],
		prints: '4281472 parameters before, 3789440 after, KL 0.038 nats\n...',
		makes: ['pruned/model.safetensors'],
	},
	'slurm.sbatch': {
		command: ['bash', 'examples/slurm.sbatch', 'examples/tiny-coder', 'pruned'],
		prints: 'warning: Not carried over: data/, training/',
		makes: ['pruned/model.safetensors', 'pruned.report.md'],
		environment: {SLURM_CPUS_PER_TASK: '2', SLURM_MEM_PER_NODE: '4096', SLURM_SUBMIT_DIR: '.'},
	},
};

// Stands in for Slurm's: runs the command that follows its own options.
const srun = '#!/bin/sh\nwhile case $1 in --*) true;; *) false;; esac; do shift; done\nexec "$@"\n';

for (const [name, {command, prints, code = 0, makes = [], leaves = [], environment}] of Object.entries(examples)) {
	test.serial(`examples/${name} does what it is for`, async t => {
		if (!await isInstalled(command[0]!)) {
			t.log(`skipped: ${command[0]} is not installed`);
			t.pass();
			return;
		}

		const {folder, run} = await createSandbox(t, environment);
		await writeFile(join(folder, 'node_modules/.bin/srun'), srun, {mode: 0o755});
		const outcome = await run(command[0]!, ...command.slice(1));
		const output = outcome.output.replaceAll(/\r[^\r\n]*(?=\r|\n)/g, ''); // without the progress that was written over
		t.is(outcome.code, code, output);
		const wrong = difference(prints, output);
		t.is(wrong, undefined, wrong);
		for (const file of makes) {
			t.true(existsSync(join(folder, file)), `${file} is made`);
		}

		for (const file of leaves) {
			t.false(existsSync(join(folder, file)), `${file} is not left behind`);
		}
	});
}

const scripts = readdirSync(join(packageRoot, 'examples')).filter(name => /\.(?:mjs|json|py|sbatch)$/.test(name));

test('every example is run here, is listed in examples/README.md, and has fewer than 40 lines', async t => {
	t.deepEqual(scripts.toSorted(), Object.keys(examples).toSorted());
	const list = await readFile(join(packageRoot, 'examples/README.md'), 'utf8');
	for (const name of scripts) {
		t.true(list.includes(`(${name})`), `examples/README.md: expected a link to ${name}`);
		const lines = (await readFile(join(packageRoot, 'examples', name), 'utf8')).split('\n').length - 1;
		t.true(lines < 40, `${name} has ${lines} lines`);
	}
});
