import {spawnSync} from 'node:child_process';
import {mkdir, mkdtemp, readFile, readdir, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import process from 'node:process';
import anyTest, {type TestFn} from 'ava';
import {exitCodes} from '../../ts/cli/exit-codes.js';
import {FlabError, errorCodes} from '../../ts/errors.js';
import {parsePlan, planToJson} from '../../ts/plan/plan.js';
import {examplePlan} from '../plan/examplePlan.js';
import {exampleInspection} from '../report/exampleInspection.js';
import {exampleReport} from '../report/exampleReport.js';
import {packageRoot} from '../../ts/native/root.js';
import {runLine} from './harness.js';

const test = anyTest as TestFn<{folder: string}>;

test.beforeEach(async t => {
	t.context.folder = await mkdtemp(join(tmpdir(), 'flab-cli-'));
});

test.afterEach.always(async t => {
	await rm(t.context.folder, {recursive: true});
});

const script = join(packageRoot, 'build/tests/ts/cli/main.js');
const pruneLine = ['prune', 'm', '--out', 'o', '--corpus', 'c'];

test('every flag of prune reaches the API', async t => {
	const {code, calls, stderr} = await runLine([
		'prune', 'm', '-o', 'o', '--corpus', 'a', 'b', '--corpus-field', 'text', 'code', '--calibration', 'c', '--calibration-field', 'prompt', '--max-texts', '10', '--max-tokens', '20',
		'--eval', 'e', '--eval-field', 'text', '--eval-max-texts', '30', '--eval-max-tokens', '40', '--format', 'jsonl', '--extension', '.py', '.js',
		'--vocab', 'min-count:3', '--vocab-multiple', '128', '--drop-layers', '3,7', '--layer-metric', 'bi', '--layer-search', 'one-shot', '--positions', 'all',
		'--ffn-width', '0.9', '--ffn-strategy', 'wanda', '--ffn-multiple', '32', '--seed', '5', '--compute', 'f32', '--threads', '2', '--max-memory', '4GB', '--max-shard-size', '2GiB', '--force', '--no-verify',
	]);
	t.is(code, 0, stderr);
	const files = {format: 'jsonl', extensions: ['.py', '.js']};
	t.deepEqual(calls[0]?.slice(0, 2), ['prune', {
		model: 'm',
		corpus: {paths: ['a', 'b'], fields: ['text', 'code'], ...files},
		calibration: {paths: ['c'], fields: ['prompt'], maxTexts: 10, maxTokens: 20, ...files},
		evaluation: {paths: ['e'], fields: ['text'], maxTexts: 30, maxTokens: 40, ...files},
		vocabulary: {select: 'min-count', minCount: 3, multipleOf: 128},
		layers: {drop: [3, 7], metric: 'bi', search: 'one-shot', positions: 'all'},
		ffn: {width: 0.9, strategy: 'wanda', multipleOf: 32, seed: 5, positions: 'all'},
		compute: 'f32',
		threads: 2,
		maxMemory: 4_000_000_000,
		out: 'o',
		force: true,
		verify: false,
		maxShardBytes: 2_147_483_648,
	}]);
});

test('what is not said is left to the API', async t => {
	t.deepEqual((await runLine(pruneLine)).calls[0]?.[1], {model: 'm', corpus: {paths: ['c']}, out: 'o'});
});

test('none switches a part off', async t => {
	const {calls} = await runLine([...pruneLine, '--calibration', 'd', '--vocab', 'none', '--drop-layers', 'none', '--ffn-width', '64', '--ffn-strategy', 'top']);
	t.like(calls[0]?.[1], {vocabulary: false, layers: false, ffn: {width: 64, strategy: 'top'}});
});

test('every flag of apply reaches the API', async t => {
	const {calls} = await runLine(['apply', 'm', '--plan', 'p.json', '--out', 'o', '--calibration', 'c', '--max-tokens', '9', '--threads', '1', '--max-memory', '500MB', '--max-shard-size', '1000']);
	t.deepEqual(calls[0]?.slice(0, 2), ['apply', {model: 'm', plan: 'p.json', out: 'o', calibration: {paths: ['c'], maxTokens: 9}, threads: 1, maxMemory: 500_000_000, maxShardBytes: 1000}]);
});

test('--search is another name of --layer-search', async t => {
	for (const flag of ['--search', '--layer-search']) {
		const {calls} = await runLine([...pruneLine, '--calibration', 'd', '--drop-layers', '2', flag, 'racing']);
		t.like(calls[0]?.[1], {layers: {drop: 2, search: 'racing'}});
	}
});

test('prune ends with the table, apply too', async t => {
	for (const line of [pruneLine, ['apply', 'm', '--plan', 'p', '--out', './pruned']]) {
		const {stdout} = await runLine(line);
		t.regex(stdout, /^stage .*change\n/);
		t.regex(stdout, new RegExp(`^written to ${line.at(line.indexOf('--out') + 1)!.replace('.', '\\.')}: 2 files`, 'm'));
	}
});

test('warnings go to stderr, even when quiet', async t => {
	const {stdout, stderr} = await runLine([...pruneLine, '--quiet']);
	t.is(stdout, '');
	t.is(stderr, 'warning: All calibration texts end in the same token\n');
});

const jsonLines: readonly (readonly [argv: readonly string[], value: unknown])[] = [
	[pruneLine, exampleReport()],
	[['plan', 'm', '--corpus', 'c'], examplePlan()],
	[['apply', 'm', '--plan', 'p', '--out', 'o'], exampleReport()],
	[['inspect', 'm'], exampleInspection()],
];

for (const [argv, value] of jsonLines) {
	test(`${argv[0]} --json prints one JSON document and nothing else, on a terminal too`, async t => {
		const {code, stdout, stderr} = await runLine([...argv, '--json'], {}, {isTTY: true});
		t.is(code, 0);
		t.deepEqual(JSON.parse(stdout), value);
		t.true(stderr === '' || stderr.startsWith('warning: '));
	});
}

test('inspect prints text', async t => {
	t.regex((await runLine(['inspect', 'm'])).stdout, /^checkpoint +\.\/model\nfamily +qwen2\n/);
});

for (const out of [[], ['--out', '-']]) {
	test(`plan ${out.join(' ')} prints the plan on stdout, and the table on stderr where it does not mix`, async t => {
		const {stdout, stderr} = await runLine(['plan', 'm', '--corpus', 'c', ...out]);
		t.is(stdout, planToJson(examplePlan()));
		t.regex(stderr, /^stage /m);
		t.notRegex(stderr, /written to/);
	});
}

test('plan writes the plan to a file, refuses to replace it, and replaces it when forced', async t => {
	const out = join(t.context.folder, 'plan.json');
	const {code, stdout} = await runLine(['plan', 'm', '--corpus', 'c', '--out', out]);
	t.is(code, 0);
	t.regex(stdout, /plan written to /);
	t.deepEqual(parsePlan(await readFile(out, 'utf8'), out), examplePlan());
	t.deepEqual(await readdir(t.context.folder), ['plan.json']);
	const again = await runLine(['plan', 'm', '--corpus', 'c', '--out', out]);
	t.is(again.code, 4);
	t.regex(again.stderr, /^error ERR_OUTPUT_EXISTS: .*plan\.json: expected no such file, got one\nhint: .*--force/);
	t.false(again.loaded);
	t.is((await runLine(['plan', 'm', '--corpus', 'c', '--out', out, '--force'])).code, 0);
});

for (const [ending, begin] of [['json', /^\{\n {2}"schemaVersion": 1/], ['md', /^# tiny/], ['html', /^<!doctype html>/]] as const) {
	test(`--report writes .${ending}, for a plan too`, async t => {
		for (const argv of [pruneLine, ['plan', 'm', '--corpus', 'c']]) {
			const report = join(t.context.folder, `${argv[0]}.${ending}`);
			t.is((await runLine([...argv, '--report', report])).code, 0);
			t.regex(await readFile(report, 'utf8'), argv[0] === 'plan' && ending === 'json' ? /^\{\n {2}"plan"/ : begin);
		}
	});
}

test('a report into the output folder is written when that is there', async t => {
	const out = join(t.context.folder, 'pruned');
	const {code, stderr} = await runLine(['prune', 'm', '--out', out, '--corpus', 'c', '--report', join(out, 'report.md')], {
		async prune() {
			await mkdir(out);
			return exampleReport();
		},
	});
	t.is(code, 0, stderr);
	t.deepEqual(await readdir(out), ['report.md']);
});

test('folders that a report or a plan is to lie in are made', async t => {
	const {folder} = t.context;
	t.is((await runLine([...pruneLine, '--report', join(folder, 'a', 'b', 'report.md')])).code, 0);
	t.is((await runLine(['plan', 'm', '--corpus', 'c', '--out', join(folder, 'c', 'd', 'plan.json')])).code, 0);
	t.deepEqual((await readdir(folder, {recursive: true})).sort(), ['a', 'a/b', 'a/b/report.md', 'c', 'c/d', 'c/d/plan.json']);
});

for (const [what, more] of [['report', ['--report']], ['plan', ['--out']]] as const) {
	test(`a ${what} that could not be written is refused before the work`, async t => {
		await writeFile(join(t.context.folder, 'file'), '');
		const {code, stderr, loaded} = await runLine(['plan', 'm', '--corpus', 'c', ...more, join(t.context.folder, 'file', 'a', 'b.md')]);
		t.is(code, 4);
		t.regex(stderr, /^error ERR_WRITE: .*b\.md: could not write: a part of the path is not a directory\nhint: /);
		t.false(loaded);
	});
}

test('a plan in the place of a folder is refused before the work, forced or not', async t => {
	const {folder} = t.context;
	for (const force of [[], ['--force']]) {
		const {code, stderr, loaded} = await runLine(['plan', 'm', '--corpus', 'c', '--out', folder, ...force]);
		t.deepEqual([code, stderr, loaded], [4, `error ERR_OUTPUT_EXISTS: ${folder}: expected no such file, got a folder\nhint: Name a file.\n`, false]);
	}
});

test('a plan that turns out not to be writable leaves nothing behind', async t => {
	const out = join(t.context.folder, 'a', 'plan.json');
	const {code} = await runLine(['plan', 'm', '--corpus', 'c', '--out', out, '--force'], {
		async plan() {
			await mkdir(out, {recursive: true});
			await writeFile(join(out, 'x'), '');
			return examplePlan();
		},
	});
	t.is(code, 4);
	t.deepEqual(await readdir(t.context.folder, {recursive: true}), ['a', 'a/plan.json', 'a/plan.json/x']);
});

test('a current directory that was deleted is told, and is no defect', async t => {
	const gone = join(t.context.folder, 'gone');
	const {status, stderr} = spawnSync('sh', ['-c', 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$1" "$2" prune m --out o --drop-layers 1,', gone, process.execPath, script], {encoding: 'utf8'});
	t.deepEqual([status, stderr], [3, 'error ERR_READ: The current directory does not exist any more\nhint: Change to one that exists.\n']);
});

const wrongLines: readonly (readonly [argv: readonly string[], lines: readonly string[]])[] = [
	[['prune', 'm', '--corpus', 'c'], ['--out: expected a folder to write, got nothing']],
	[['prune', 'm', '--out', 'o'], ['options: expected something to prune (--corpus or --vocab, --drop-layers, --ffn-width), got none of them']],
	[['apply', 'm'], ['--plan: expected a plan or the path of a plan file, got nothing', '--out: expected a folder to write, got nothing']],
	[[...pruneLine, '--calibration', 'd', '--layer-metric', 'kl'], ['--drop-layers: expected a number of layers ("4"), a list with a comma ("3," or "3,7") or none, got nothing']],
	[[...pruneLine, '--drop-layers', '4'], ['--calibration: expected texts that layers are scored on, got nothing']],
	[[...pruneLine, '--max-texts', '4'], ['--calibration: expected a list of at least one path, got nothing']],
	[[...pruneLine, '--drop-layers', '1.5', '--calibration', 'd'], ['--drop-layers: expected a number of layers ("4"), a list with a comma ("3," or "3,7") or none, got "1.5"']],
	[[...pruneLine, '--vocab', 'some', '--vocab-multiple', 'x'], ['--vocab: expected used, min-count:N, top:N, coverage:SHARE (above 0, at most 1) or none, got "some"', '--vocab-multiple: expected a whole number of at least 1, got "x"']],
	[[...pruneLine, '--vocab', 'coverage:2'], ['--vocab: expected used, min-count:N, top:N, coverage:SHARE (above 0, at most 1) or none, got "coverage:2"']],
	[[...pruneLine, '--calibration', 'd', '--drop-layers', '1', '--ffn-width', '64', '--positions', 'x'], ['--positions: expected one of last, all, got "x"']],
	[[...pruneLine, '--format', 'xml', '--calibration', 'd'], ['--format: expected one of auto, jsonl, csv, parquet, text, got "xml"']],
	[[...pruneLine, '--max-memory', '0'], ['--max-memory: expected a size of at least 1 byte, such as 5GB, 500MB or 2GiB, got "0"']],
	[[...pruneLine, '--device', 'gpu', '--max-device-memory', 'lots'], ['--device: expected auto, cpu, cuda or cuda:N, N being the number of a device, got "gpu"', '--max-device-memory: expected a size of at least 1 byte, such as 5GB, 500MB or 2GiB, got "lots"']],
	[[...pruneLine, '--calibration', 'd', '--drop-layers', '1', '--search', 'racing', '--layer-metric', 'bi'], ['--layer-metric: expected kl, the metric that the search \'racing\' needs, got "bi"']],
	[[...pruneLine, '--report', 'r.txt', '--max-shard-size', 'big'], ['--max-shard-size: expected a size of at least 1 byte, such as 5GB, 500MB or 2GiB, got "big"', '--report: expected a file name that ends in .json, .md, .html, got "r.txt"']],
	[['prune', '--corpus', 'c', 'm'], ['MODEL: expected the folder of a checkpoint, got nothing', '--out: expected a folder to write, got nothing']],
	[['inspect'], ['MODEL: expected the folder of a checkpoint, got nothing']],
	[['completion'], ['missing required argument \'shell\'']],
	[[...pruneLine, '--nonsense'], ['unknown option \'--nonsense\'']],
	[['prone', 'm'], ['unknown command \'prone\'']],
	[['help', 'prone'], ['unknown command \'prone\'']],
	[[...pruneLine, '--corpus', 'c\0d'], ['--corpus: expected a path, without a NUL in it, got "c\\u0000d"']],
	[['prune', 'm\0', '--out', 'o', '--corpus', 'c'], ['MODEL: expected the folder of a checkpoint, without a NUL in it, got "m\\u0000"']],
	[['prune', 'm', '--out', 'o\0', '--corpus', 'c'], ['--out: expected a folder to write, without a NUL in it, got "o\\u0000"']],
	[['inspect', 'm', 'n'], ['too many arguments for \'inspect\'. Expected 1 argument but got 2.']],
];

for (const [argv, lines] of wrongLines) {
	test(`"${argv.join(' ').replaceAll('\0', 'NUL')}" is wrong usage and loads nothing`, async t => {
		const {code, stdout, stderr, loaded} = await runLine(argv);
		t.is(code, 2);
		t.is(stdout, '');
		t.false(loaded);
		const [message, hint] = stderr.split('\nhint: ');
		t.is(message, `error ERR_BAD_ARGUMENT: ${lines.join('\n  ')}`);
		t.truthy(hint);
	});
}

const helpHints: readonly (readonly [argv: readonly string[], hint: RegExp])[] = [
	[[...pruneLine, '--threads', 'many'], /\nhint: flab-pruner prune --help describes every flag\.\n$/],
	[['apply', 'm', '--plan', 'p'], /\nhint: flab-pruner apply --help describes every flag\.\n$/],
	[['plan', 'm', '--nonsense'], /\nhint: flab-pruner plan --help describes every option\.\n$/],
	[['inspect', 'm', 'n'], /\nhint: flab-pruner inspect --help describes every option\.\n$/],
	[['frobnicate'], /\nhint: flab-pruner --help lists the commands\.\n$/],
	[['--nonsense'], /\nhint: flab-pruner --help lists the commands\.\n$/],
];

for (const [argv, hint] of helpHints) {
	test(`"${argv.join(' ')}" is told whose help to read`, async t => {
		t.regex((await runLine(argv)).stderr, hint);
	});
}

const pipelineErrors: readonly (readonly [error: FlabError, told: string])[] = [
	[new FlabError('ERR_BAD_ARGUMENT', 'layers.drop: expected layers from 0 to 9, got 12'), '--drop-layers: expected layers from 0 to 9, got 12'],
	[new FlabError('ERR_BAD_ARGUMENT', 'ffn.width: expected at most 576, got 700\nout: expected a folder, got x', {hint: 'Pass an ffn.multipleOf (--ffn-multiple) of 1, or texts (--calibration).'}),
		'--ffn-width: expected at most 576, got 700\n  --out: expected a folder, got x\nhint: Pass an --ffn-multiple of 1, or texts (--calibration).'],
	[new FlabError('ERR_MEMORY', 'maxMemory: expected at least 217 MB, got 5 MB'), '--max-memory: expected at least 217 MB, got 5 MB'],
	[new FlabError('ERR_NO_DEVICE', 'device: expected a number below 1, got 9'), '--device: expected a number below 1, got 9'],
	[new FlabError('ERR_DEVICE_MEMORY', 'device: expected at least 9 bytes, got 5', {hint: 'Raise maxDeviceMemory (--max-device-memory).'}), '--device: expected at least 9 bytes, got 5\nhint: Raise --max-device-memory.'],
	[new FlabError('ERR_BAD_PLAN', 'layers.keep: expected ascending layers, got [1,0]'), 'layers.keep: expected ascending layers, got [1,0]'],
	[new FlabError('ERR_BAD_ARGUMENT', 'options: expected this, got that'), 'options: expected this, got that'],
];

for (const [error, told] of pipelineErrors) {
	test(`the ${error.code} "${error.message.replaceAll('\n', ' ')}" names flags where the API names options`, async t => {
		for (const argv of [pruneLine, ['plan', 'm', '--corpus', 'c'], ['apply', 'm', '--plan', 'p', '--out', 'o'], ['inspect', 'm']]) {
			const throws = async () => { throw error; };
			const {code, stderr} = await runLine(argv, {prune: throws, plan: throws, apply: throws, inspect: throws});
			t.deepEqual([code, stderr], [exitCodes[error.code], `error ${error.code}: ${told}\n`]);
		}
	});
}

test('a misspelt option is met with the nearest', async t => {
	t.regex((await runLine(['prune', 'm', '--ou', 'x'])).stderr, /\nhint: Did you mean --out\? /);
});

for (const code of errorCodes) {
	test(`${code} ends with exit code ${exitCodes[code]}, two lines on stderr and no stack`, async t => {
		const outcome = await runLine(pruneLine, {
			async prune() {
				throw new FlabError(code, 'model.safetensors: expected this, got that', {file: 'model.safetensors', tensor: 'lm_head', hint: 'Do so.'});
			},
		});
		t.is(outcome.code, exitCodes[code]);
		t.is(outcome.stdout, '');
		t.is(outcome.stderr, `error ${code}: model.safetensors: expected this, got that\nhint: Do so.\n`);
	});
}

test('with --json an error is a JSON object on stdout, and on stderr as ever', async t => {
	const error = new FlabError('ERR_BAD_FILE', 'm', {file: 'f', tensor: 't', hint: 'h'});
	const {code, stdout, stderr} = await runLine([...pruneLine, '--json'], {prune: async () => { throw error; }});
	t.is(code, 3);
	t.deepEqual(JSON.parse(stdout), {error: {code: 'ERR_BAD_FILE', message: 'm', file: 'f', tensor: 't', hint: 'h'}});
	t.is(stderr, 'error ERR_BAD_FILE: m\nhint: h\n');
	const usage = await runLine(['prune', '--json']);
	t.is(JSON.parse(usage.stdout).error.code, 'ERR_BAD_ARGUMENT');
});

test('anything else that is thrown is a defect, and says so', async t => {
	for (const thrown of [new TypeError('x is not a function'), 'x is not a function']) {
		const {code, stderr} = await runLine(pruneLine, {prune: async () => { throw thrown; }});
		t.is(code, 70);
		t.regex(stderr, /^error ERR_INTERNAL: x is not a function\nhint: This is a defect of flab-pruner.*FLAB_DEBUG=1/);
		t.notRegex(stderr, /\n {4}at /);
	}
});

test.serial('FLAB_DEBUG=1 shows the stack and its causes', async t => {
	process.env['FLAB_DEBUG'] = '1';
	try {
		const {stderr} = await runLine(pruneLine, {prune: async () => { throw new FlabError('ERR_READ', 'm', {cause: new Error('underneath')}); }});
		t.regex(stderr, /\n {4}at [^]*caused by Error: underneath/);
	} finally {
		delete process.env['FLAB_DEBUG'];
	}
});

test('an AbortError of any origin is a cancellation', async t => {
	const {code} = await runLine(pruneLine, {prune: async () => { throw new DOMException('gone', 'AbortError'); }});
	t.is(code, 130);
});

test('names from outside can not command the terminal', async t => {
	const {stderr} = await runLine(pruneLine, {prune: async () => { throw new FlabError('ERR_BAD_FILE', '\u001B[2Jevil\u0007\rname'); }});
	t.is(stderr, 'error ERR_BAD_FILE: \uFFFD[2Jevil\uFFFD\uFFFDname\n');
});

test('the signal reaches the pipeline', async t => {
	const {signal} = new AbortController();
	const {calls} = await runLine(pruneLine, {}, {signal});
	t.is((calls[0]?.[2] as {signal?: AbortSignal}).signal, signal);
});

for (const [what, argv, isTTY, shown] of [['a terminal', [], true, true], ['no terminal', [], false, false], ['--quiet', ['--quiet'], true, false], ['--json', ['--json'], true, false]] as const) {
	test(`progress with ${what}: ${shown}`, async t => {
		const {stderr} = await runLine([...pruneLine, ...argv], {
			async prune(_options, {onProgress} = {}) {
				onProgress?.({phase: 'layers', done: 10, total: 100, unit: 'token-layers', detail: 'step 1 of 2'});
				onProgress?.({phase: 'layers', done: 0, total: 100, unit: 'token-layers', detail: 'step 2 of 2'});
				onProgress?.({phase: 'write', done: 5, total: 10, unit: 'bytes'});
				return exampleReport();
			},
		}, {isTTY});
		t.is(/scoring layers, step 2 of 2[^]*writing/.test(stderr), shown);
	});
}

test('the progress bar ends when the signal fires', async t => {
	const controller = new AbortController();
	const {stderr} = await runLine(pruneLine, {
		async prune(_options, {onProgress, signal} = {}) {
			onProgress?.({phase: 'layers', done: 1, total: 100, unit: 'token-layers'});
			controller.abort();
			onProgress?.({phase: 'write', done: 5, total: 10, unit: 'bytes'});
			throw new DOMException(String(signal?.aborted), 'AbortError');
		},
	}, {isTTY: true, signal: controller.signal});
	t.regex(stderr, /scoring layers[^]*\nerror ERR_ABORTED: /);
	t.notRegex(stderr, /writing/);
});
