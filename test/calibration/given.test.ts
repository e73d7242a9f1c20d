import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {plan, prune} from '../../ts/index.js';
import type {PlanOptions} from '../../ts/index.js';
import {heldTexts, readGiven} from '../../ts/calibration/given.js';
import {packageRoot} from '../../ts/native/root.js';
import type {GivenTexts} from '../../ts/plan/texts.js';

const collect = async <Item>(items: AsyncIterable<Item>): Promise<Item[]> => {
	const collected: Item[] = [];
	for await (const item of items) {
		collected.push(item);
	}

	return collected;
};

/** Texts that note what is asked of them. */
const watched = (texts: readonly string[]) => {
	const seen = {asked: 0, returned: 0};
	const stream = (async function * () {
		try {
			for (const text of texts) {
				seen.asked++;
				yield text;
			}
		} finally {
			seen.returned++;
		}
	})();
	return {stream, seen};
};

const forms: Readonly<Record<string, GivenTexts>> = {
	'a list': ['one', '', {text: 'two'}],
	'a set': new Set(['one', 'two']),
	'an async generator': watched(['one', 'two']).stream,
	'a function that makes a list': () => ['one', 'two'],
	'an async function that makes a stream': async () => watched(['one', 'two']).stream,
};
for (const [form, texts] of Object.entries(forms)) {
	test(`texts come from ${form}, the empty ones left out`, async t => {
		t.deepEqual((await collect(readGiven(texts))).map(({text}) => text), ['one', 'two']);
	});
}

const failures: ReadonlyArray<readonly [what: string, texts: unknown, code: string, message: RegExp]> = [
	['a number among the texts', ['a', 5], 'ERR_BAD_DATA', /^texts, record 2: expected a string or an object with text, got 5$/],
	['a record without text', [{prompt: 'a'}], 'ERR_BAD_DATA', /^texts, record 1: expected a string or an object with text, got an Object$/],
	['a function that gives no iterable', () => 5, 'ERR_BAD_ARGUMENT', /^texts: expected the function to give an iterable of texts, got 5$/],
	['a function that fails', () => {
		throw new Error('no connection');
	}, 'ERR_BAD_DATA', /^texts: could not be read: no connection$/],
];
for (const [what, texts, code, message] of failures) {
	test(`refuses ${what}`, async t => {
		await t.throwsAsync(collect(readGiven(texts as GivenTexts)), {code, message});
	});
}

test('the next text is asked for when the last one is done with, and who stops early is told', async t => {
	const {stream, seen} = watched(['a', 'b', 'c']);
	for await (const {text} of readGiven(stream)) {
		t.is(seen.asked, text === 'a' ? 1 : 2);
		if (text === 'b') {
			break;
		}
	}

	t.deepEqual(seen, {asked: 2, returned: 1});
});

test('of a sample the first texts are asked for, once, however often it is read', async t => {
	const {stream, seen} = watched(['a', '', 'b', 'c', 'd']);
	const held = heldTexts(stream, 2, {});
	for (let i = 0; i < 3; i++) {
		t.deepEqual((await collect(readGiven(held))).map(({text}) => text), ['a', 'b']);
	}

	t.deepEqual(seen, {asked: 3, returned: 1});
});

test('a corpus that is another one the second time is refused', async t => {
	let times = 0;
	const texts = () => ['def f(): return 1', 'f()'].slice(times++);
	await t.throwsAsync(async () => plan({model: example, corpus: texts}), {code: 'ERR_BAD_DATA', message: /^corpus: expected the same texts each time/});
	t.is(times, 2);
});

test('a cancelled run does not wait for a text that never comes', async t => {
	const controller = new AbortController();
	const never = {[Symbol.asyncIterator]: () => ({next: async () => new Promise<never>(() => undefined)})};
	const reading = collect(readGiven(never, {signal: controller.signal}));
	setTimeout(() => {
		controller.abort();
	}, 10);
	await t.throwsAsync(reading, {code: 'ERR_ABORTED'});
});

const example = join(packageRoot, 'examples/tiny-coder');
const records = async (name: string): Promise<string[]> =>
	(await readFile(join(example, 'data', name), 'utf8')).trim().split('\n').map(line => {
		const {text, content, code, prompt} = JSON.parse(line) as Readonly<Record<string, string>>;
		return (text ?? content ?? code ?? prompt)!;
	});

test('a plan on given texts decides as one on files with the same texts, and notes that they were given', async t => {
	const calibration = (await records('calibration.jsonl')).slice(0, 6);
	const evaluation = (await records('heldout.jsonl')).slice(0, 3);
	const corpus = (await records('corpus.jsonl')).slice(0, 40);
	const given = async (sources: Pick<PlanOptions, 'corpus' | 'calibration' | 'evaluation'>) => plan({model: example, ...sources, layers: {drop: 1}});
	const fromLists = await given({corpus: {texts: corpus}, calibration: {texts: calibration, maxTexts: 6}, evaluation: {texts: evaluation}});
	const fromStreams = await given({corpus: () => watched(corpus).stream, calibration: {texts: watched(calibration).stream, maxTexts: 6}, evaluation: watched(evaluation).stream});
	t.deepEqual(fromStreams, fromLists);
	t.deepEqual(fromStreams.options.corpus, {texts: 'given'});
	t.deepEqual(fromStreams.options.calibration, {texts: 'given', maxTexts: 6, maxTokens: 512});
	t.like(fromStreams.data, {corpus: {files: 0, texts: corpus.length + 6}, calibration: {texts: 6}, evaluation: {texts: 3}});
});

test('calibration texts in a file and given give the same choice', async t => {
	const texts = (await records('calibration.jsonl')).slice(0, 6);
	const options = {model: example, layers: {drop: 2}} as const;
	const fromFile = await plan({...options, calibration: {paths: [join(example, 'data/calibration.jsonl')], maxTexts: 6}});
	const fromTexts = await plan({...options, calibration: {texts, maxTexts: 6}});
	t.deepEqual(fromTexts.data.calibration, fromFile.data.calibration);
	t.deepEqual(fromTexts.layers, fromFile.layers);
});

test('a failing stream ends a run before anything is written', async t => {
	const out = join(packageRoot, 'build', `given-${process.pid}`);
	await t.throwsAsync(async () => prune({model: example, out, calibration: {texts: (async function * () {
		yield 'def f(): return 1';
		throw new TypeError('connection lost');
	})()}, layers: {drop: 1}}), {code: 'ERR_BAD_DATA', message: 'texts: could not be read: connection lost'});
});
