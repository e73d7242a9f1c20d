import test from 'ava';
import {load} from './load.js';

const {parseFlags, UsageError} = await load('flags.mjs');

test('without flags: 15 runs, 10 seconds, all cases, no peers', t => {
	t.deepEqual(parseFlags([], {}), {list: false, peers: false, python: 'python3', runs: 15, seconds: 10, json: 'build/bench.json', words: []});
});

test('words and flags may stand in any order', t => {
	const {words, runs, seconds, threads, peers} = parseFlags(['product', '--runs', '2', 'kl/', '--peers', '--seconds', '.5', '--threads=3'], {});
	t.deepEqual({words, runs, seconds, threads, peers}, {words: ['product', 'kl/'], runs: 2, seconds: 0.5, threads: 3, peers: true});
});

test('the Python of the peers is --python, else $PYTHON', t => {
	t.is(parseFlags(['--peers', '--python', 'a'], {PYTHON: 'b'}).python, 'a');
	t.is(parseFlags(['--peers'], {PYTHON: 'b'}).python, 'b');
	t.is(parseFlags(['--peers'], {PYTHON: ''}).python, 'python3');
});

for (const [argv, sentence] of [
	[['--foo'], 'unknown option \'--foo\'.'],
	[['--runs'], 'option \'--runs <n>\' argument missing.'],
	[['--runs', '0'], 'option \'--runs <n>\' argument \'0\' is invalid. Expected a whole number from 1.'],
	[['--runs', '1.5'], 'option \'--runs <n>\' argument \'1.5\' is invalid. Expected a whole number from 1.'],
	[['--threads', '-1'], 'option \'--threads <n>\' argument \'-1\' is invalid. Expected a whole number from 1.'],
	[['--seconds', '0.0'], 'option \'--seconds <s>\' argument \'0.0\' is invalid. Expected a number above 0.'],
	[['--seconds', 'ten'], 'option \'--seconds <s>\' argument \'ten\' is invalid. Expected a number above 0.'],
	[['--python', 'p'], '--python names the Python that runs the peers: it needs --peers.'],
] as const) {
	test(`refuses ${argv.join(' ')}`, t => {
		t.throws(() => parseFlags(argv, {}), {instanceOf: UsageError, message: `${sentence} See npm run bench -- --help`});
	});
}
