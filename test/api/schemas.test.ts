// The JSON schemas against the real thing: what they accept is what the program makes and takes.

import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {Ajv2020} from 'ajv/dist/2020.js';
import {plan, planToJson, reportToJson} from '../../ts/index.js';
import {packageRoot} from '../../ts/native/root.js';
import {resolvePruneOptions} from '../../ts/plan/options.js';
import {examplePlan} from '../plan/examplePlan.js';
import {exampleReport} from '../report/exampleReport.js';

const example = join(packageRoot, 'examples/tiny-coder');

const validator = async (name: string) => {
	const schema = JSON.parse(await readFile(join(packageRoot, 'schemas', `${name}.json`), 'utf8')) as {title: string; description: string};
	const validate = new Ajv2020({strict: true, strictTypes: false, strictRequired: false, allErrors: true}).compile(schema);
	return {schema, complaints: (value: unknown): string[] => validate(value) ? [] : validate.errors!.map(({instancePath, message}) => `${instancePath} ${message}`)};
};

test('plans that are made fit their schema', async t => {
	const {complaints} = await validator('plan');
	const calibration = {paths: [join(example, 'data/calibration.jsonl')], maxTexts: 4, maxTokens: 32};
	const made = await plan({model: example, calibration, vocabulary: {}, layers: {drop: 1}, ffn: {width: 0.9, strategy: 'wanda'}, evaluation: {texts: ['def f(): return 1']}});
	for (const one of [made, examplePlan()]) {
		t.deepEqual(complaints(JSON.parse(planToJson(one))), []);
	}

	const {stages: _, ...incomplete} = made;
	t.deepEqual(complaints(JSON.parse(JSON.stringify({...incomplete, extra: 1}))), [' must have required property \'stages\'', ' must NOT have additional properties']);
	t.true(complaints(JSON.parse(JSON.stringify({...made, layers: {...made.layers, keep: ['0']}}))).length > 0);
});

test('reports fit their schema', async t => {
	const {complaints} = await validator('report');
	t.deepEqual(complaints(JSON.parse(reportToJson(exampleReport()))), []);
	t.deepEqual(complaints({...JSON.parse(reportToJson(exampleReport())), peakBytes: -1}), ['/peakBytes must be >= 0']);
});

const recipe = {$schema: 'flab-pruner/schemas/prune-options.json', model: 'm', out: 'o', corpus: {paths: ['./src'], extensions: ['.py']}, calibration: 'prompts.jsonl', evaluation: {texts: ['a', {text: 'b'}]}, layers: {drop: [1, 2]}, ffn: {width: 0.9}};

test('options that can be written as JSON fit the schema when they are accepted, and do not when they are refused', async t => {
	const {complaints} = await validator('prune-options');
	const isAccepted = (options: unknown): boolean => {
		try {
			resolvePruneOptions(options as never);
			return true;
		} catch {
			return false;
		}
	};

	for (const change of [
		{}, {corpus: ['a', 'b']}, {layers: false}, {vocabulary: false}, {calibration: {paths: ['a'], maxTexts: 1}}, {threads: 2}, {$schema: undefined},
		{model: ''}, {corpus: []}, {corpus: {}}, {corpus: {paths: ['a'], texts: ['b']}}, {layers: {}}, {layers: {drop: 0}}, {layers: {drop: 1, metric: 'x'}}, {ffn: {width: 0}}, {threads: 0}, {extra: 1}, {out: 5},
		{calibration: {paths: ['a'], maxTexts: 1.5}},
	]) {
		const options = JSON.parse(JSON.stringify({...recipe, ...change})) as unknown;
		t.is(complaints(options).length === 0, isAccepted(options), JSON.stringify(change));
	}
});

test('the example of a recipe fits the schema that it names, but for what the command line says', async t => {
	const file = join(packageRoot, 'examples/recipe.json');
	const {$schema, ...options} = JSON.parse(await readFile(file, 'utf8')) as {readonly $schema: string};
	t.is(join(file, '..', $schema), join(packageRoot, 'schemas/prune-options.json'));
	const {complaints} = await validator('prune-options');
	t.deepEqual(complaints({$schema, ...options}), [' must have required property \'out\'']);
});

test('every schema has a title, a description, and describes its members', async t => {
	for (const name of ['plan', 'report', 'prune-options', 'plan-options', 'apply-options', 'inspect-options']) {
		const {schema} = await validator(name);
		t.true(schema.title.length > 5 && schema.description.length > 5, name);
	}

	const {schema} = await validator('prune-options');
	const {properties} = schema as unknown as {properties: Record<string, {description?: string}>};
	t.deepEqual(Object.keys(properties).filter(name => !properties[name]!.description), []);
});
