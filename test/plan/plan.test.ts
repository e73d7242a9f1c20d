import test from 'ava';
import {checkPlan} from '../../ts/plan/belonging.js';
import {resolvePruneOptions} from '../../ts/plan/options.js';
import {checkedPlan, keepLists, parsePlan, planToJson, portableOptions} from '../../ts/plan/plan.js';
import {measuredNumber, type Plan} from '../../ts/plan/schema.js';
import {examplePlan, racingPlan} from './examplePlan.js';

test('a plan survives being written and read', t => {
	t.deepEqual(parsePlan(planToJson(examplePlan()), 'plan.json'), examplePlan());
});

test('a plan survives that says what a race took, and one that does not is read as well', t => {
	const plan = racingPlan();
	t.deepEqual(parsePlan(planToJson(plan), 'plan.json'), plan);
	t.is(parsePlan(planToJson(examplePlan()), 'plan.json').layers!.steps[0]!.tokenLayers, undefined);
});

test('a plan without any part survives as well', t => {
	const plan: Plan = {...examplePlan(), vocabulary: null, layers: null, ffn: null, data: {}, warnings: []};
	t.deepEqual(parsePlan(planToJson(plan), 'plan.json'), plan);
});

const reversed = (value: unknown): unknown => typeof value !== 'object' || value === null
	? value
	: Array.isArray(value) ? value.map(reversed) : Object.fromEntries(Object.entries(value).reverse().map(([key, member]) => [key, reversed(member)]));

test('the same plan gives the same bytes, in whatever order it was put together', t => {
	t.is(planToJson(reversed(examplePlan()) as Plan), planToJson(examplePlan()));
});

test('the text begins with the version, ends in one line break and keeps ranges on a line', t => {
	const text = planToJson(examplePlan());
	t.true(text.startsWith('{\n  "schemaVersion": 1,\n'));
	t.regex(text, /[^\n]\n$/);
	t.regex(text, /^ +"keep": \[\[0,4\],\[5,11\]\],$/m);
	t.regex(text, /^ +\{"layer": 2, "score": 0\.00045, /m);
});

test('a plan with a member that the schema does not know is not written', t => {
	t.throws(() => planToJson({...examplePlan(), madeAt: 'today'} as never), {code: 'ERR_BAD_PLAN', message: /madeAt: expected no such name/});
});

test('a byte-order mark does not matter', t => {
	t.notThrows(() => parsePlan(`\uFEFF${planToJson(examplePlan())}`, 'plan.json'));
});

for (const schemaVersion of [0, 2, '1', undefined]) {
	test(`the version ${JSON.stringify(schemaVersion)} is refused with the versions that are known`, t => {
		const error = t.throws(() => checkedPlan({...examplePlan(), schemaVersion}, 'p.json'), {code: 'ERR_BAD_PLAN', message: `p.json: schemaVersion: expected 1, got ${JSON.stringify(schemaVersion)}`});
		t.like(error, {file: 'p.json', hint: 'This release of flab-pruner knows plans of version 1: make the plan again, or use the release that made it.'});
	});
}

for (const text of ['', '{"schemaVersion": 1', 'nonsense']) {
	test(`refuses ${JSON.stringify(text)}, which is not JSON`, t => {
		t.throws(() => parsePlan(text, 'p.json'), {code: 'ERR_BAD_PLAN', message: /^p\.json: expected JSON, got /});
	});
}

for (const text of ['null', '[]', '3']) {
	test(`refuses ${text}, which is no plan`, t => {
		t.throws(() => parsePlan(text, 'p.json'), {code: 'ERR_BAD_PLAN', message: /^p\.json: expected a plan, got /});
	});
}

type Draft = Record<string, any>;
const damages: readonly (readonly [what: string, damage: (plan: Draft) => void, message: string])[] = [
	['a missing part', plan => delete plan['stages'], 'p: stages: expected an array, got undefined'],
	['no stage', plan => { plan['stages'] = []; }, 'p: stages: expected at least the original, got []'],
	['a hash that is none', plan => { plan['source'].files['config.json'].sha256 = 'abc'; }, 'p: source.files.config.json.sha256: expected a SHA-256 in hexadecimal, got "abc"'],
	['an unknown strategy', plan => { plan['ffn'].strategy = 'auto'; }, 'p: ffn.strategy: expected one of top, bottom, middle, random, magnitude, activation, wanda, fluctuation, got "auto"'],
	['ranges that are not pairs', plan => { plan['vocabulary'].keep = [[1]]; }, 'p: vocabulary.keep.0: expected [begin, end), two whole numbers, got [1]'],
	['ranges that overlap', plan => { plan['vocabulary'].keep = [[0, 5], [4, 9]]; }, 'p: vocabulary.keep.1: expected a range that begins after 5, got [4,9]'],
	['a range beyond the vocabulary', plan => { plan['vocabulary'].keep = [[3, 13]]; }, 'p: vocabulary.keep.0: expected an end of at most 12, got [3,13]'],
	['a wrong number of tokens', plan => { plan['vocabulary'].after = 9; }, 'p: number of indices in vocabulary.keep: expected 9, got 10'],
	['a vocabulary of another model', plan => { plan['source'].config.vocabulary = 13; }, 'p: vocabulary.before: expected 13, got 12'],
	['a layer that is gone and stays', plan => { plan['layers'].dropped = [1]; }, 'p: layers.keep and layers.dropped: expected each of 4 layers once, got [0,1,1,3]'],
	['layers out of order', plan => { plan['layers'].keep = [1, 0, 3]; }, 'p: layers.keep: expected ascending layers, got [1,0,3]'],
	['too few keep-lists of neurons', plan => plan['ffn'].keep.pop(), 'p: number of ffn.keep: expected 3, got 2'],
	['layers of different widths', plan => { plan['ffn'].keep[1] = [[0, 3]]; }, 'p: number of indices in ffn.keep.1: expected 4, got 3'],
];

for (const [what, damage, message] of damages) {
	test(`refuses ${what}`, t => {
		const plan = structuredClone(examplePlan());
		damage(plan);
		t.throws(() => checkedPlan(plan, 'p'), {code: 'ERR_BAD_PLAN', message});
	});
}

test('several damages are said at once, but not thousands', t => {
	const plan = structuredClone(examplePlan()) as Draft;
	plan['generator'].name = 3;
	plan['warnings'] = new Array(100).fill(1);
	const {message} = t.throws(() => checkedPlan(plan, 'p'), {code: 'ERR_BAD_PLAN'});
	t.is(message.split('\n').length, 21);
	t.true(message.endsWith('and 81 more'));
});

test('keep-lists come out as they went in, absent where everything stays', t => {
	t.deepEqual(keepLists(examplePlan()), {
		tokens: Uint32Array.of(0, 1, 2, 3, 5, 6, 7, 8, 9, 10),
		layers: Uint32Array.of(0, 1, 3),
		neurons: [Uint32Array.of(0, 1, 2, 3), Uint32Array.of(0, 1, 6, 7), Uint32Array.of(1, 3, 5, 7)],
	});
	t.deepEqual(keepLists({vocabulary: null, layers: null, ffn: null}), {});
});

test('the options in a plan name no folder, no output, no threads and no memory', t => {
	const options = portableOptions(resolvePruneOptions({model: '/home/someone/tiny/', out: '/tmp/out', threads: 3, maxMemory: 1e9, corpus: {paths: ['/data/a.jsonl', './b'], fields: ['text']}, calibration: '/data/c.jsonl', evaluation: 'd/e.jsonl'}));
	t.deepEqual(options, {
		model: 'tiny',
		corpus: {paths: ['a.jsonl', 'b'], fields: ['text']},
		calibration: {paths: ['c.jsonl'], maxTexts: 128, maxTokens: 512},
		evaluation: {paths: ['e.jsonl'], maxTexts: 256, maxTokens: 1024},
		vocabulary: {select: 'used', multipleOf: 64},
		layers: false,
		ffn: false,
		compute: 'auto',
	});
	t.notThrows(() => planToJson({...examplePlan(), options}));
});

test('what JSON can not say is null', t => {
	t.deepEqual([0.5, Infinity, Number.NaN].map(measuredNumber), [0.5, null, null]);
});

test('a plan fits the checkpoint that it was made for', t => {
	t.notThrows(() => checkPlan(examplePlan(), structuredClone(examplePlan().source)));
});

const strangers: readonly (readonly [what: string, change: (source: Draft) => void, message: string])[] = [
	['another family', source => { source['family'] = 'llama'; }, 'family: expected qwen2, got llama'],
	['another number of layers', source => { source['config'].layers = 5; }, 'layers: expected 4, got 5'],
	['tied embeddings', source => { source['config'].tied = true; }, 'tied: expected false, got true'],
	['a file of another size', source => { source['files']['config.json'].bytes = 501; }, 'config.json: expected 500 bytes, got 501'],
	['a file of another content', source => { source['files']['model.safetensors'].sha256 = 'f'.repeat(64); }, `model.safetensors: expected SHA-256 ${'a'.repeat(64)}, got ${'f'.repeat(64)}`],
	['a file less', source => { delete source['files']['config.json']; }, 'config.json: expected 500 bytes, got no such file'],
	['a file more', source => { source['files']['added_tokens.json'] = {bytes: 2, sha256: 'f'.repeat(64)}; }, 'added_tokens.json: expected no such file, got one'],
];

for (const [what, change, message] of strangers) {
	test(`a plan does not fit a checkpoint with ${what}`, t => {
		const source = structuredClone(examplePlan().source);
		change(source);
		t.throws(() => checkPlan(examplePlan(), source), {code: 'ERR_BAD_PLAN', message: `The plan was made for another checkpoint: ${message}`});
	});
}
