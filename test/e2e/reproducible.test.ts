import {readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {apply, parsePlan, plan, planToJson, prune} from '../../ts/index.js';
import type {Plan, PlanOptions} from '../../ts/index.js';
import {picoPlace} from './checkpoints.js';
import type {Place} from './checkpoints.js';
import {checkOutput} from './expected.js';
import {beside, contents} from './folders.js';

const cuts = {vocabulary: {select: 'used', multipleOf: 8}, layers: {drop: 2}, ffn: {width: 24, multipleOf: 8}} as const;
const choices = ({model, corpus, calibration}: Place, threads?: number): PlanOptions => ({model, corpus, calibration, ...cuts, ...threads && {threads}});

// Serial: the number of threads is the whole process's.
for (const [dtype, threads] of [['F32', 1], ['F32', 2], ['BF16', 1], ['BF16', 2]] as const) {
	test.serial(`${dtype}, ${threads} threads: two runs and plan with apply give the same bytes, as many threads as may be`, async t => {
		// Layers of more than one tile, so that threads have something to share.
		const place = await picoPlace(t, {dtype, width: 40, queryHeads: 4, headWidth: 10, ffnWidth: 72, layers: 5});
		await prune({...choices(place), out: place.out});
		const expected = await contents(place.out);
		t.true('model.safetensors' in expected && 'tokenizer.json' in expected && 'flab-pruner.json' in expected && 'README.md' in expected);

		const again = join(place.root, 'again');
		await prune({...choices(place, threads), out: again});
		t.deepEqual(await contents(again), expected);

		const made = await plan(choices(place, threads));
		t.is(planToJson(made), await readFile(join(place.out, 'flab-pruner.json'), 'utf8'));
		for (const [name, given] of [['value', made], ['file', join(place.root, 'plan.json')]] as const) {
			await writeFile(join(place.root, 'plan.json'), planToJson(made));
			const applied = join(place.root, name);
			await apply({model: place.model, plan: given, out: applied, calibration: place.calibration, threads});
			t.deepEqual(await contents(applied), expected, `the plan as a ${name}`);
		}
	});
}

test('apply without texts verifies on tokens at random', async t => {
	const place = await picoPlace(t);
	const made = await plan(choices(place));
	const {verification} = await apply({model: place.model, plan: made, out: place.out});
	t.true(verification!.relativeError <= 1e-6);
	t.true(verification!.positions > 100);
	await checkOutput(t, {...place, plan: made});
});

test('a plan without texts drops listed layers, and neurons by place and by magnitude', async t => {
	const place = await picoPlace(t);
	for (const strategy of ['top', 'bottom', 'middle', 'random', 'magnitude'] as const) {
		const out = join(place.root, strategy);
		const report = await prune({model: place.model, out, layers: {drop: [3, 0]}, ffn: {width: 0.5, multipleOf: 4, strategy}});
		t.deepEqual(report.plan.layers!.keep, [1, 2]);
		t.deepEqual(report.plan.data, {});
		t.deepEqual(report.plan.stages.map(({divergence}) => divergence), [null, null, null]);
		await checkOutput(t, {model: place.model, out, plan: report.plan});
	}
});

test('without verification the bytes are the same', async t => {
	const place = await picoPlace(t);
	await prune({...choices(place), out: place.out});
	const {verification} = await prune({...choices(place), out: join(place.root, 'unverified'), verify: false});
	t.is(verification, null);
	t.deepEqual(await contents(join(place.root, 'unverified')), await contents(place.out));
});

test('with force the output replaces what was there, and is the same', async t => {
	const place = await picoPlace(t);
	await prune({...choices(place), out: place.out});
	const expected = await contents(place.out);
	await writeFile(join(place.out, 'notes.txt'), 'old');
	await prune({...choices(place), out: place.out, force: true});
	t.deepEqual(await contents(place.out), expected);
	t.deepEqual(await beside(place), ['out']);
});

test('a pruned checkpoint can be pruned again', async t => {
	const place = await picoPlace(t, {layers: 5});
	await prune({...choices(place), out: place.out});
	const twice = {...place, model: place.out, out: join(place.root, 'twice')};
	const report = await prune({...choices(twice), ffn: {width: 8, multipleOf: 8}, out: twice.out});
	t.is(report.plan.layers!.after, 1);
	t.is(report.plan.vocabulary!.after, report.plan.vocabulary!.before, 'everything that is left is in use');
	await checkOutput(t, {...twice, plan: report.plan});
	t.is(await readFile(join(twice.out, 'flab-pruner.json'), 'utf8'), planToJson(report.plan), 'the plan of the second run');
});

const tampered: readonly (readonly [what: string, tamper: (plan: any) => void, message: RegExp])[] = [
	['a hash of another file', plan => { plan.source.files['model.safetensors'].sha256 = 'a'.repeat(64); }, /model\.safetensors: expected SHA-256 a{64}, got [\da-f]{64}/],
	['other sizes', plan => { plan.source.config.width = 25; }, /width: expected 25, got 24/],
	['a file that is not there', plan => { plan.source.files['model-2.safetensors'] = {bytes: 1, sha256: '0'.repeat(64)}; }, /model-2\.safetensors: expected 1 bytes, got no such file/],
	['a layer kept and dropped', plan => { plan.layers.keep = [0, 1]; plan.layers.dropped = [1, 3]; }, /layers\.keep and layers\.dropped: expected each of 4 layers once, got \[0,1,1,3]/],
	['a layer that is not there', plan => { plan.layers.keep[1] = 4; }, /expected each of 4 layers once/],
	['token ranges past the end', plan => { plan.vocabulary.keep.at(-1)[1] = 9999; }, /vocabulary\.keep\.\d+: expected an end of at most 804, got \[\d+,9999]/],
	['overlapping neurons', plan => { plan.ffn.keep[0] = [[0, 14], [10, 20]]; }, /ffn\.keep\.0\.1: expected a range that begins after 14/],
	['neurons for one layer too few', plan => { plan.ffn.keep.pop(); }, /number of ffn\.keep: expected 2, got 1/],
	['a smaller FFN than its lists', plan => { plan.ffn.after = 16; }, /number of indices in ffn\.keep\.0: expected 16, got 24/],
	['no schema version', plan => { delete plan.schemaVersion; }, /schemaVersion: expected 1, got undefined/],
	['a version from the future', plan => { plan.schemaVersion = 2; }, /schemaVersion: expected 1, got 2/],
	['a member that no plan has', plan => { plan.layers.order = 1; }, /layers\.order: expected no such name/],
	['neurons that are no numbers', plan => { plan.ffn.keep[0] = [['0', '24']]; }, /ffn\.keep\.0/],
];

for (const [what, tamper, message] of tampered) {
	test(`a plan with ${what} is refused, and leaves nothing`, async t => {
		const place = await picoPlace(t);
		const made = structuredClone(await plan(choices(place)));
		tamper(made);
		await t.throwsAsync(apply({model: place.model, plan: made, out: place.out}), {code: 'ERR_BAD_PLAN', message});
		const file = join(place.root, 'plan.json');
		await writeFile(file, JSON.stringify(made));
		await t.throwsAsync(apply({model: place.model, plan: file, out: place.out}), {code: 'ERR_BAD_PLAN', message});
		t.deepEqual(await beside(place), ['plan.json']);
	});
}

test('tokens that the tokenizer needs may not be taken out of a plan', async t => {
	const place = await picoPlace(t);
	const original = await plan(choices(place));
	const {keep, after} = original.vocabulary!;
	// The first byte symbol: without it some text can't be encoded.
	const made = {...original, vocabulary: {...original.vocabulary!, keep: [[1, keep[0]![1]], ...keep.slice(1)] as const, after: after - 1}};
	const error = await t.throwsAsync(apply({model: place.model, plan: made, out: place.out, calibration: place.calibration}));
	t.regex(String((error as {code?: string}).code), /^ERR_(BAD_PLAN|PROOF|VERIFY|BAD_TOKENIZER)$/);
	t.deepEqual(await beside(place), []);
});

test('a plan of another checkpoint is refused, whatever differs', async t => {
	const place = await picoPlace(t);
	const made = await plan(choices(place));
	for (const [options, message] of [
		[{seed: 2}, /^The plan was made for another checkpoint: model\.safetensors: expected SHA-256 /],
		[{layers: 5}, /layers: expected 4, got 5\n[^]*model\.safetensors: expected \d+ bytes, got \d+/],
		[{family: 'mistral'}, /family: expected qwen2, got mistral/],
		[{shards: 2}, /model\.safetensors: expected \d+ bytes, got no such file/],
		[{dtype: 'BF16'}, /dtypes: expected \["F32"], got \["BF16"]/],
	] as const) {
		const other = await picoPlace(t, options);
		await t.throwsAsync(apply({model: other.model, plan: made, out: other.out}), {code: 'ERR_BAD_PLAN', message}, JSON.stringify(options));
		t.deepEqual(await beside(other), []);
	}

	await writeFile(join(place.model, 'tokenizer.json'), (await readFile(join(place.model, 'tokenizer.json'), 'utf8')).replace('"padding"', ' "padding"'));
	await t.throwsAsync(apply({model: place.model, plan: made, out: place.out}), {code: 'ERR_BAD_PLAN', message: /tokenizer\.json: expected \d+ bytes/});
});

test('a plan survives its own JSON', async t => {
	const made: Plan = await plan(choices(await picoPlace(t)));
	t.deepEqual(parsePlan(planToJson(made), 'plan.json'), JSON.parse(JSON.stringify(made)));
	t.is(planToJson(parsePlan(planToJson(made), 'plan.json')), planToJson(made));
});
