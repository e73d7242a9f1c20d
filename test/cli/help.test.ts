import test from 'ava';
import {exitCodes} from '../../ts/cli/exit-codes.js';
import {errorCodes} from '../../ts/errors.js';
import {runLine} from './harness.js';

const choosing = [
	'--corpus', '--corpus-field', '--calibration', '--calibration-field', '--max-texts', '--max-tokens', '--eval', '--eval-field', '--eval-max-texts', '--eval-max-tokens', '--format', '--extension',
	'--vocab', '--vocab-multiple', '--drop-layers', '--layer-metric', '--search, --layer-search', '--positions', '--ffn-width', '--ffn-strategy', '--ffn-multiple', '--seed', '--compute', '--device', '--max-device-memory', '--threads', '--max-memory',
];
const telling = ['--json', '--report', '--quiet', '-h, --help'];
const options: Readonly<Record<string, readonly string[]>> = {
	prune: ['--recipe', ...choosing, '-o, --out', '--max-shard-size', '--force', '--no-verify', ...telling],
	plan: ['--recipe', ...choosing, '-o, --out', '--force', ...telling],
	apply: ['--recipe', '--plan', '-o, --out', '--max-shard-size', '--force', '--no-verify', '--calibration', '--calibration-field', '--max-texts', '--max-tokens', '--threads', '--max-memory', ...telling],
	inspect: ['--recipe', '--json', '-h, --help'],
	doctor: ['--json', '-h, --help'],
	completion: ['-h, --help'],
};
const usages: Readonly<Record<string, string>> = {doctor: '[options]', completion: 'SHELL [options]'};

for (const [command, names] of Object.entries(options)) {
	test(`the help of ${command} has every option, an example and the exit codes, and loads nothing`, async t => {
		const {code, stdout, stderr, loaded} = await runLine([command, '--help']);
		t.is(code, 0);
		t.is(stderr, '');
		t.false(loaded);
		const listed = [...stdout.matchAll(/^ {2}((?:-\w, |--\w+, )?--[\w-]+)/gm)].map(match => match[1]!);
		t.deepEqual([...listed].sort(), [...names].sort());
		t.true(stdout.startsWith(`Usage: flab-pruner ${command} ${usages[command] ?? 'MODEL [options]'}\n`));
		t.regex(stdout, new RegExp(`\nExample:\n  flab-pruner ${command}\\b`));
		t.regex(stdout, /\nExit codes:\n {2}0 /);
	});
}

test('defaults and units are in the help', async t => {
	const {stdout} = await runLine(['prune', '--help']);
	const text = stdout.replaceAll(/\s+/g, ' ');
	for (const part of [/--max-texts <n> [^-]*\(default: 128\)/, /--eval-max-tokens <n> [^-]*\(default: 1024\)/, /--layer-metric <name> [^]*?\(default: kl\)/, /KiB, MiB, GiB binary \(default: 5GB\)/, /nats per byte/, /"3,"/]) {
		t.regex(text, part);
	}
});

test('the help documents every exit code', async t => {
	const {stdout} = await runLine(['--help']);
	for (const code of new Set([0, ...Object.values(exitCodes)])) {
		t.regex(stdout, new RegExp(`^ {2}${code} +\\w`, 'm'));
	}

	t.deepEqual(Object.keys(exitCodes).sort(), [...errorCodes].sort());
});

test('the version is that of the package', async t => {
	const {code, stdout, loaded} = await runLine(['--version']);
	t.is(code, 0);
	t.regex(stdout, /^\d+\.\d+\.\d+\n$/);
	t.false(loaded);
});

test('no command at all shows the help on stderr and is wrong usage', async t => {
	const {code, stdout, stderr} = await runLine([]);
	t.is(code, 2);
	t.is(stdout, '');
	t.regex(stderr, /^Usage: flab-pruner/);
});
