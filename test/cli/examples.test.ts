// The example of every command's help, run as it stands there by a shell, in a folder with a model and texts of these names.

import {execFile} from 'node:child_process';
import {access, chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import process from 'node:process';
import test from 'ava';
import {packageRoot} from '../../ts/native/root.js';
import {runLine} from './harness.js';

const example = join(packageRoot, 'examples/tiny-coder');
const folder = await mkdtemp(join(tmpdir(), 'flab-examples-'));
test.after.always(async () => rm(folder, {recursive: true}));

test.before(async () => {
	await cp(example, join(folder, 'model'), {recursive: true, filter: source => !source.includes(join('tiny-coder', 'data')) && !source.includes('training')});
	await mkdir(join(folder, 'src'));
	const corpus = (await readFile(join(example, 'data/corpus.jsonl'), 'utf8')).split('\n').slice(0, 20);
	for (const [place, line] of corpus.entries()) {
		await writeFile(join(folder, 'src', `module${place}.py`), (JSON.parse(line) as {content: string}).content);
	}

	const prompts = (await readFile(join(example, 'data/calibration.jsonl'), 'utf8')).split('\n').slice(0, 8);
	await writeFile(join(folder, 'prompts.jsonl'), `${prompts.join('\n')}\n`);
	await mkdir(join(folder, 'bin'));
	await writeFile(join(folder, 'bin/flab-pruner'), `#!/bin/sh\nexec ${process.execPath} ${join(packageRoot, 'build/tests/ts/cli/main.js')} "$@"\n`);
	await chmod(join(folder, 'bin/flab-pruner'), 0o755);
});

/** The lines under `Example:`, without their indentation. */
const examplesOf = async (command: readonly string[]): Promise<readonly string[]> => {
	const {stdout} = await runLine([...command, '--help']);
	return stdout.split(/^Examples?:\n/m).slice(1).flatMap(section => section.split('\n\n')[0]!.split('\n')).map(line => line.trim());
};

const runShell = async (line: string): Promise<{code: number; output: string}> => new Promise(resolve => {
	const env = {...process.env, PATH: `${join(folder, 'bin')}:${process.env['PATH']}`, HOME: folder};
	execFile('sh', ['-c', line], {cwd: folder, env}, (error, stdout, stderr) => {
		resolve({code: typeof error?.code === 'number' ? error.code : 0, output: stdout + stderr});
	});
});

// In this order: `apply` carries out what `plan` made, to where `prune` wrote before.
const results: ReadonlyArray<readonly [command: readonly string[], made: string, before?: () => Promise<void>]> = [
	[['inspect'], 'model/config.json'],
	[['doctor'], 'model/config.json'],
	[['completion'], '.bash_completion'],
	[[], 'pruned/flab-pruner.json'],
	[['prune'], 'pruned/flab-pruner.json', async () => rm(join(folder, 'pruned'), {recursive: true})],
	[['plan'], 'plan.json'],
	[['apply'], 'pruned/flab-pruner.json', async () => rm(join(folder, 'pruned'), {recursive: true})],
];
for (const [command, made, before] of results) {
	test.serial(`the example of ${command[0] ?? 'the help'} works as it stands`, async t => {
		await before?.();
		const [line = '', ...others] = await examplesOf(command);
		t.deepEqual(others, [], 'one example is enough');
		t.true(line.startsWith(`flab-pruner ${command[0] ?? 'prune'}`), line);
		const {code, output} = await runShell(line);
		t.is(code, 0, `${line}\n${output}`);
		await t.notThrowsAsync(access(join(folder, made)));
	});
}

test.serial('every command has an example that is run here', async t => {
	const {stdout} = await runLine(['--help']);
	const commands = [...stdout.split('\nCommands:\n')[1]!.split('\nExample:')[0]!.matchAll(/^ {2}(\w+) /gm)].map(match => match[1]!).filter(name => name !== 'help');
	t.deepEqual(commands.sort(), results.flatMap(([command]) => command).sort());
});
