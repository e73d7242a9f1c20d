// Options in a file: they reach the API as they are, flags win over them, and what is wrong is told by the name that it has there.

import {writeFile} from 'node:fs/promises';
import {join, relative} from 'node:path';
import process from 'node:process';
import test from 'ava';
import type {ExecutionContext} from 'ava';
import {FlabError} from '../../ts/errors.js';
import {temporaryFolder} from '../fixtures/pico.js';
import {runLine} from './harness.js';

/** The file of a recipe in a folder of its own. */
const recipeFile = async (t: ExecutionContext, recipe: unknown): Promise<{file: string; folder: string}> => {
	const folder = await temporaryFolder(t);
	const file = join(folder, 'recipe.json');
	await writeFile(file, typeof recipe === 'string' ? recipe : JSON.stringify(recipe));
	return {file, folder};
};

/** What the API is called with. */
const optionsOf = async (t: ExecutionContext, ...line: readonly string[]): Promise<unknown> => {
	const {code, stderr, calls} = await runLine(line);
	t.is(code, 0, stderr);
	return calls[0]?.[1];
};

const complaintsOf = async (t: ExecutionContext, ...line: readonly string[]): Promise<readonly string[]> => {
	const {code, stderr, loaded} = await runLine(line);
	t.is(code, 2);
	t.false(loaded);
	return stderr.split('\nhint: ')[0]!.replace('error ERR_BAD_ARGUMENT: ', '').split('\n  ');
};

test('everything in a recipe reaches the API as it is, with paths from its folder', async t => {
	const {file, folder} = await recipeFile(t, {
		$schema: 'prune-options.json', model: 'model', out: '../pruned', corpus: ['src', '/abs/other'],
		calibration: {paths: ['./prompts.jsonl'], fields: ['prompt'], maxTexts: 9}, evaluation: {texts: ['a', {text: 'b'}]},
		vocabulary: {select: 'top', top: 4000}, layers: {drop: [1, 2]}, ffn: {width: 0.5, strategy: 'top'}, compute: 'f32', threads: 2, maxMemory: 1e9, force: true, verify: false, maxShardBytes: 1000,
	});
	t.deepEqual(await optionsOf(t, 'prune', '--recipe', file), {
		$schema: 'prune-options.json', model: join(folder, 'model'), out: join(folder, '../pruned'), corpus: [join(folder, 'src'), '/abs/other'],
		calibration: {paths: [join(folder, 'prompts.jsonl')], fields: ['prompt'], maxTexts: 9}, evaluation: {texts: ['a', {text: 'b'}]},
		vocabulary: {select: 'top', top: 4000}, layers: {drop: [1, 2]}, ffn: {width: 0.5, strategy: 'top'}, compute: 'f32', threads: 2, maxMemory: 1e9, force: true, verify: false, maxShardBytes: 1000,
	});
});

test('plan, apply and inspect take recipes of theirs', async t => {
	const {file: plan, folder} = await recipeFile(t, {model: 'm', corpus: 'c'});
	t.deepEqual(await optionsOf(t, 'plan', '--recipe', plan), {model: join(folder, 'm'), corpus: join(folder, 'c')});
	const {file: apply, folder: place} = await recipeFile(t, {model: 'm', plan: 'plan.json', out: 'o', calibration: 'c'});
	t.deepEqual(await optionsOf(t, 'apply', '--recipe', apply), {model: join(place, 'm'), plan: join(place, 'plan.json'), out: join(place, 'o'), calibration: join(place, 'c')});
	const {file: inspect, folder: here} = await recipeFile(t, {$schema: 'inspect-options.json', model: 'm'});
	t.deepEqual(await optionsOf(t, 'inspect', '--recipe', inspect), {$schema: 'inspect-options.json', model: join(here, 'm')});
});

test('a recipe by a relative path gives relative paths', async t => {
	const {file} = await recipeFile(t, {model: 'm', corpus: './c'});
	const fromHere = relative(process.cwd(), file);
	t.deepEqual(await optionsOf(t, 'plan', '--recipe', fromHere), {model: join(fromHere, '../m'), corpus: join(fromHere, '../c')});
});

const base = {
	model: '/m', out: '/o', corpus: '/c', calibration: {paths: ['/d'], fields: ['x'], maxTexts: 5}, evaluation: {texts: ['a']},
	vocabulary: {select: 'top', top: 9, multipleOf: 8}, layers: {drop: 2, metric: 'bi'}, ffn: {width: 0.5, strategy: 'wanda', positions: 'all'}, threads: 4, verify: false,
};

const flags: ReadonlyArray<readonly [argv: readonly string[], changes: Readonly<Record<string, unknown>>]> = [
	[['n'], {model: 'n'}],
	[['--out', 'p', '--threads', '1', '--max-shard-size', '1kB', '--force'], {out: 'p', threads: 1, maxShardBytes: 1000, force: true}],
	[['--corpus', 'e', 'f'], {corpus: {paths: ['e', 'f']}}],
	[['--corpus-field', 'code'], {corpus: {paths: ['/c'], fields: ['code']}}],
	[['--calibration', 'e'], {calibration: {paths: ['e'], fields: ['x'], maxTexts: 5}}],
	[['--max-tokens', '7'], {calibration: {paths: ['/d'], fields: ['x'], maxTexts: 5, maxTokens: 7}}],
	[['--eval', 'e'], {evaluation: {paths: ['e']}}],
	[['--eval-max-texts', '3'], {evaluation: {texts: ['a'], maxTexts: 3}}],
	[['--format', 'text'], {corpus: {paths: ['/c'], format: 'text'}, calibration: {...base.calibration, format: 'text'}}],
	[['--vocab', 'min-count:3'], {vocabulary: {select: 'min-count', minCount: 3, multipleOf: 8}}],
	[['--vocab', 'none'], {vocabulary: false}],
	[['--vocab-multiple', '1'], {vocabulary: {select: 'top', top: 9, multipleOf: 1}}],
	[['--drop-layers', '3,'], {layers: {drop: [3], metric: 'bi'}}],
	[['--drop-layers', 'none'], {layers: false}],
	[['--positions', 'last'], {layers: {drop: 2, metric: 'bi', positions: 'last'}, ffn: {width: 0.5, strategy: 'wanda', positions: 'last'}}],
	[['--ffn-width', '64', '--ffn-strategy', 'top'], {ffn: {width: 64, strategy: 'top', positions: 'all'}}],
];

for (const [argv, changes] of flags) {
	test(`${argv.join(' ')} wins over a recipe, and changes nothing else`, async t => {
		const {file} = await recipeFile(t, base);
		const line = argv[0]!.startsWith('-') ? ['prune', '--recipe', file, ...argv] : ['prune', ...argv, '--recipe', file];
		t.deepEqual(await optionsOf(t, ...line), {...base, ...changes});
	});
}

test('a part that a recipe switches off stays so until a flag says how much', async t => {
	const {file} = await recipeFile(t, {model: '/m', corpus: '/c', layers: false, ffn: false, vocabulary: {}});
	t.like(await optionsOf(t, 'plan', '--recipe', file, '--positions', 'all', '--ffn-strategy', 'top'), {layers: false, ffn: false});
	t.like(await optionsOf(t, 'plan', '--recipe', file, '--positions', 'all', '--ffn-strategy', 'top', '--ffn-width', '64'), {layers: false, ffn: {width: 64, strategy: 'top', positions: 'all'}});
});

test('everything that is wrong is told at once, by the names that it has in the recipe and among the flags', async t => {
	const {file} = await recipeFile(t, {model: '/m', corpus: [3], calibration: {maxTexts: 0}, layers: {metric: 'best'}, ffn: 5, extra: 1, force: 'yes'});
	t.deepEqual([...await complaintsOf(t, 'prune', '--recipe', file, '--threads', 'many', '--report', 'r.txt')].sort(), [
		'--out: expected a folder to write, got nothing',
		'--report: expected a file name that ends in .json, .md, .html, got "r.txt"',
		'--threads: expected a whole number of at least 1, got "many"',
		`${file}: calibration.maxTexts: expected a whole number of at least 1, got 0`,
		`${file}: calibration.paths: expected a list of at least one path, got undefined`,
		`${file}: corpus.0: expected a path, got 3`,
		`${file}: extra: expected no such name, got 1`,
		`${file}: ffn: expected false or an object with width, got 5`,
		`${file}: force: expected true or false, got "yes"`,
		`${file}: layers.drop: expected a number of layers of at least 1, or a list of layer indices, got undefined`,
		`${file}: layers.metric: expected one of kl, bi, bi-last, angular, perplexity, got "best"`,
	].sort());
});

test('a flag that is wrong over a recipe is told by its own name', async t => {
	const {file} = await recipeFile(t, base);
	t.deepEqual(await complaintsOf(t, 'prune', '--recipe', file, '--layer-metric', 'best', '--ffn-width', '0'), [
		'--layer-metric: expected one of kl, bi, bi-last, angular, perplexity, got "best"',
		'--ffn-width: expected a whole number of neurons, a share above 0 and below 1, or none, got "0"',
	]);
});

test('what turns out to be wrong in the work is told by the name that it has where it was said', async t => {
	const {file} = await recipeFile(t, {...base, layers: {drop: 12}, calibration: '/c'});
	const prune = async () => { throw new FlabError('ERR_BAD_ARGUMENT', 'layers.drop: expected 1 to 9 of 10 layers, got 12'); };
	t.regex((await runLine(['prune', '--recipe', file], {prune})).stderr, new RegExp(`^error ERR_BAD_ARGUMENT: ${file}: layers\\.drop: expected 1 to 9 of 10 layers, got 12\n`));
	t.regex((await runLine(['prune', '--recipe', file, '--drop-layers', '12'], {prune})).stderr, /^error ERR_BAD_ARGUMENT: --drop-layers: expected 1 to 9 of 10 layers, got 12\n/);
});

test('options of another command are no names that a recipe may have', async t => {
	const {file} = await recipeFile(t, base);
	t.deepEqual(await complaintsOf(t, 'inspect', '--recipe', file), Object.keys(base).filter(name => name !== 'model').map(name =>
		`${file}: ${name}: expected no such name, got ${{out: '"/o"', corpus: '"/c"', threads: '4', verify: 'false'}[name] ?? 'an Object'}`));
});

for (const [what, text, message] of [['no JSON', '{model: 1}', /: expected JSON, got .*/], ['a list', '[]', /: expected an object with options, got \[\]$/], ['null', 'null', /: expected an object with options, got null$/]] as const) {
	test(`a recipe that is ${what} is refused`, async t => {
		const {file} = await recipeFile(t, text);
		const [line] = await complaintsOf(t, 'plan', '--recipe', file);
		t.true(line!.startsWith(file), line);
		t.regex(line!, message);
	});
}

test('a recipe that can not be read is told', async t => {
	const {code, stderr} = await runLine(['plan', '--recipe', '/nowhere/recipe.json']);
	t.is(code, 3);
	t.is(stderr, 'error ERR_READ: /nowhere/recipe.json: could not read: no such file or directory\nhint: Check the path.\n');
});
