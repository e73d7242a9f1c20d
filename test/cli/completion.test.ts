// Completions as the shells themselves give them.

import {execFileSync} from 'node:child_process';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import type {ExecutionContext} from 'ava';
import {flagValues} from '../../ts/cli/flags.js';
import {runLine} from './harness.js';

type Shell = 'bash' | 'zsh' | 'fish';

const folder = await mkdtemp(join(tmpdir(), 'flab-completion-'));
test.after.always(async () => rm(folder, {recursive: true}));

const scriptFor = async (shell: Shell): Promise<string> => {
	const {code, stdout, stderr} = await runLine(['completion', shell]);
	if (code !== 0) {
		throw new Error(stderr);
	}

	const file = join(folder, `completion.${shell}`);
	await writeFile(file, stdout);
	return file;
};

const isThere = (shell: Shell): boolean => {
	try {
		execFileSync(shell, ['-c', 'exit 0'], {stdio: 'ignore'});
		return true;
	} catch {
		return false;
	}
};

const lines = (text: string): string[] => text.split(/\r?\n/).map(line => line.trim()).filter(Boolean);

/** What a shell offers for the last of these words. */
const offers: Readonly<Record<Shell, (script: string, words: readonly string[]) => string[]>> = {
	bash: (script, words) => lines(execFileSync('bash', ['--norc', '-c', `
		source "$1"; shift
		COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
		_flab_pruner; printf '%s\\n' "\${COMPREPLY[@]}"`, 'bash', script, ...words], {encoding: 'utf8', cwd: folder})),
	fish: (script, words) => lines(execFileSync('fish', ['--no-config', '-c', `source ${script}; complete -C '${words.join(' ')}'`], {encoding: 'utf8', cwd: folder, env: {...process.env, HOME: folder}}))
		.map(line => line.split('\t')[0]!),
	// An interactive zsh in a terminal of its own; what it would insert is listed instead.
	zsh: (script, words) => lines(execFileSync('zsh', ['-f', '-c', `
		zmodload zsh/zpty
		zpty shell zsh -f -i
		zpty -w shell 'PROMPT=; autoload -Uz compinit; compinit -D -u; source "$1"' 2> /dev/null
		zpty -w shell 'source ${script}; stty -echo 2> /dev/null; TRAPEXIT() { :; }'
		zpty -w shell 'compadd() { [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]] && { builtin compadd "$@"; return; }; local -a found; builtin compadd -A found "$@"; print -rl -- "<<"\${^found}">>"; }'
		zpty -w shell 'bindkey "^I" complete-word; zstyle ":completion:*" verbose no'
		# In two parts, as what is typed is seen too; READY comes when the line editor listens.
		zpty -w shell "zle-line-init() { print -r RE''ADY; }; zle -N zle-line-init"
		zpty -r -m shell ignored '*READY*'
		zpty -w -n shell '${words.join(' ')}'$'\\t'$'\\C-u'"print DO''NE"$'\\n'
		zpty -r -m shell answer '*DONE*'
		print -r -- $answer`], {encoding: 'utf8', cwd: folder, timeout: 20_000, env: {...process.env, HOME: folder}}))
		.flatMap(line => [...line.matchAll(/<<(.*?)>>/g)].map(match => match[1]!)),
};

const commands = ['prune', 'plan', 'apply', 'inspect', 'doctor', 'completion'];

const checks: ReadonlyArray<readonly [what: string, words: readonly string[], check: (t: ExecutionContext, found: readonly string[]) => void]> = [
	['commands', ['flab-pruner', ''], (t, found) => {
		t.true(commands.every(name => found.includes(name)), found.join(' '));
	}],
	['the beginning of a command', ['flab-pruner', 'pl'], (t, found) => {
		t.deepEqual([...found], ['plan']);
	}],
	['options of a command', ['flab-pruner', 'apply', '--'], (t, found) => {
		t.true(['--plan', '--out', '--threads', '--no-verify'].every(flag => found.includes(flag)), found.join(' '));
		t.false(found.includes('--drop-layers'));
	}],
	['values of an option', ['flab-pruner', 'prune', './model', '--layer-metric', ''], (t, found) => {
		t.deepEqual([...found].sort(), [...flagValues['--layer-metric']!].sort());
	}],
	['shells', ['flab-pruner', 'completion', 'b'], (t, found) => {
		t.deepEqual([...found], ['bash']);
	}],
];

for (const shell of ['bash', 'zsh', 'fish'] as const) {
	for (const [what, words, check] of checks) {
		test(`${shell} completes ${what}`, async t => {
			if (!isThere(shell)) {
				t.log(`skipped: ${shell} is not installed`);
				t.pass();
				return;
			}

			check(t, offers[shell](await scriptFor(shell), words));
		});
	}
}

test('every option that has words for its value is one of the program', async t => {
	const {stdout} = await runLine(['prune', '--help']);
	for (const flag of Object.keys(flagValues)) {
		t.true(stdout.includes(flag), flag);
	}
});

test('an unknown shell and no shell are refused', async t => {
	const {code, stderr} = await runLine(['completion', 'tcsh']);
	t.is(code, 2);
	t.regex(stderr, /SHELL: expected bash, zsh, fish, got "tcsh"/);
	t.regex((await runLine(['completion'])).stderr, /Name the shell: bash, zsh or fish\./);
});
