import {createHash} from 'node:crypto';
import {appendFile, mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {plan} from '../../ts/index.js';
import type {Control, Plan, ProgressEvent} from '../../ts/index.js';
import {planToJson} from '../../ts/plan/plan.js';
import {countTokens} from '../../ts/tokenizer/count.js';
import {createEncoder} from '../../ts/tokenizer/encoder.js';
import {readTokenizer} from '../../ts/tokenizer/files.js';
import {randomNumbers, randomText, streamOf} from '../tokenizer/support.js';
import {picoPlace, writeTexts} from './checkpoints.js';
import type {Place} from './checkpoints.js';

// Corpora that are large enough for threads of their own.

const random = randomNumbers(6);
const some = Array.from({length: 400}, () => randomText(random, 60));
// Few with added tokens: those are encoded as a whole.
const base = [...some.filter(text => !/<\|im_end\|>|<s>/.test(text)), ...some.slice(0, 2)];
const texts = Array.from({length: 7000}, (_, index) => base[index % base.length]!);

const large = async (place: Place): Promise<Place> => {
	await writeTexts(place.corpus, texts);
	return place;
};

const choose = async ({model, corpus}: Place, more: object = {}, control: Control = {}): Promise<Plan> => plan({model, corpus, ...more}, control);

for (const tokenizer of ['qwen', 'llama', 'unigram']) {
	test.serial(`${tokenizer}: a large corpus is counted, hashed and proved as its texts one by one, whatever the threads`, async t => {
		const place = await large(await picoPlace(t, {tokenizer}));
		const [one, two] = [await choose(place, {threads: 1}), await choose(place, {threads: 2})];
		t.is(planToJson(one), planToJson(two));
		const encoder = createEncoder(await readTokenizer(place.model));
		const {counts, ...sums} = await countTokens({encoder, texts: streamOf(texts), size: one.vocabulary!.before});
		t.deepEqual(one.vocabulary!.frequencies, [...counts].flatMap((count, id): Array<[number, number]> => count > 0 ? [[id, count]] : []));
		t.deepEqual(one.data.corpus, {files: 1, ...sums, sha256: createHash('sha256').update(texts.map(text => `${text}\0`).join('')).digest('hex')});
		t.like(one.vocabulary!.proof, {texts: texts.length, tokensBefore: sums.tokens, tokensAfter: sums.tokens, differing: 0});
	});
}

test.serial('progress goes through the bytes of the corpus twice', async t => {
	const place = await large(await picoPlace(t));
	const events: ProgressEvent[] = [];
	await choose(place, {}, {onProgress: event => events.push(event)});
	for (const phase of ['count', 'prove'] as const) {
		const seen = events.filter(event => event.phase === phase);
		t.true(seen.length >= 2);
		t.true(seen.every(({done, total, unit}, place) => unit === 'bytes' && done <= total && (place === 0 || done >= seen[place - 1]!.done)));
		t.is(seen.at(-1)!.done, seen.at(-1)!.total);
	}
});

test.serial('a broken record at the end of a large corpus is named, and so is a file of a folder', async t => {
	const place = await large(await picoPlace(t));
	await appendFile(place.corpus, '{"text": 5}\n');
	await t.throwsAsync(choose(place), {code: 'ERR_BAD_DATA', message: new RegExp(`^${place.corpus}, line ${texts.length + 1}: expected a string in the field "text", got 5$`)});
	const folder = join(place.root, 'sources');
	await mkdir(folder);
	for (let file = 0; file < 40; file++) {
		await writeFile(join(folder, `${file}.jsonl`), file === 33 ? '{"text": \n' : `${JSON.stringify({text: texts.slice(0, 300).join('\n')})}\n`);
	}

	await t.throwsAsync(choose({...place, corpus: folder}), {code: 'ERR_BAD_DATA', message: new RegExp(`^${join(folder, '33.jsonl')}, line 1: not valid JSON`)});
});

for (const phase of ['count', 'prove'] as const) {
	test.serial(`an abort in the phase ${phase} of a large corpus ends it at once`, async t => {
		const place = await large(await picoPlace(t));
		const controller = new AbortController();
		let [events, eventsBefore] = [0, 0];
		await t.throwsAsync(choose(place, {}, {signal: controller.signal, onProgress(event) {
			events++;
			if (event.phase === phase && !controller.signal.aborted) {
				eventsBefore = events;
				controller.abort();
			}
		}}), {code: 'ERR_ABORTED'});
		t.is(events, eventsBefore);
	});
}

test.serial('a limit of memory that a large corpus would not fit in is refused before it is counted', async t => {
	const place = await large(await picoPlace(t));
	const phases = new Set<string>();
	const control = {onProgress: ({phase}: ProgressEvent) => phases.add(phase)};
	const {message} = await t.throwsAsync(choose(place, {maxMemory: 300 * 2 ** 20}, control), {code: 'ERR_MEMORY', message: /^maxMemory: expected at least \d+ MiB for this tokenizer and corpus, got 300 MiB$/});
	t.false(phases.has('count'));
	const least = Number(/\d+/.exec(message)![0]);
	await t.notThrowsAsync(choose(place, {maxMemory: least * 2 ** 20}));
});
