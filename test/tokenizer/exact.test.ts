import test from 'ava';
import {alphabet, alphabetKind, byteFallbackTokens, byteLevelSymbols} from '../../ts/tokenizer/bytes.js';
import {createDerivations} from '../../ts/tokenizer/closure.js';
import {createEncoder, type Encoder} from '../../ts/tokenizer/encoder.js';
import type {TokenizerFiles} from '../../ts/tokenizer/files.js';
import {rewriteTokenizer} from '../../ts/tokenizer/rewrite.js';
import {selectVocabulary} from '../../ts/tokenizer/select.js';
import {bareEncoder, countsOf, fixtureNames, randomNumbers, randomText, readFixture} from './support.js';

// Nothing here trusts the simulation of merges: the tokenizers library itself says what a text becomes, before and after.

type Pruned = {readonly files: TokenizerFiles; readonly before: Encoder; readonly after: Encoder; readonly keep: Uint32Array};

const prune = async (files: TokenizerFiles, counts: Float64Array, multipleOf = 1): Promise<Pruned> => {
	const {keep} = await selectVocabulary({files, counts, selection: {kind: 'used'}, modelVocabulary: counts.length, multipleOf});
	const after = createEncoder(rewriteTokenizer(files, keep).files.get('tokenizer.json')!);
	return {files, before: createEncoder(files), after, keep};
};

const randomCounts = (size: number, share: number, random: () => number): Float64Array => Float64Array.from({length: size}, () => random() < share ? 1 : 0);

for (const name of fixtureNames) {
	test(`${name}: whatever is kept, texts whose tokens all stay have the same tokens, and every other text decodes to itself`, async t => {
		const files = await readFixture(name);
		const random = randomNumbers(7);
		const texts = Array.from({length: 150}, () => randomText(random, 1 + Math.floor(random() * 12)));
		let same = 0;
		let apart = 0;
		for (const share of [0, 0.1, 0.5, 0.9]) {
			const {before, after, keep} = await prune(files, randomCounts(files.model.tokens.length, share, random));
			const places = new Map([...keep].map((id, place) => [id, place]));
			const [rowsBefore, rowsAfter] = await Promise.all([before.encode(texts), after.encode(texts)]);
			const [decodedBefore, decodedAfter] = await Promise.all([before.decode(rowsBefore), after.decode(rowsAfter)]);
			for (const [index, text] of texts.entries()) {
				const mapped = Array.from(rowsBefore[index]!, id => places.get(id));
				if (mapped.includes(undefined)) {
					apart++;
					t.is(decodedAfter[index], decodedBefore[index], `decoding of ${JSON.stringify(text)}`);
				} else {
					same++;
					t.deepEqual([...rowsAfter[index]!], mapped, `tokens of ${JSON.stringify(text)}`);
				}
			}
		}

		t.true(same > 50, `only ${same} texts kept all their tokens`);
		t.true(apart > 50, `only ${apart} texts lost a token`);
	});

	test(`${name}: a corpus has the same tokens after pruning to what it uses`, async t => {
		const files = await readFixture(name);
		const random = randomNumbers(11);
		const corpus = Array.from({length: 60}, () => randomText(random, 8));
		const {before, after, keep} = await prune(files, await countsOf(createEncoder(files), corpus), 64);
		const [rowsBefore, rowsAfter] = await Promise.all([before.encode(corpus), after.encode(corpus)]);
		t.deepEqual(rowsAfter.map(row => Array.from(row, id => keep[id])), rowsBefore.map(row => [...row]));
		t.true(keep.length < files.model.tokens.length);
		t.is(keep.length % 64, 0);
	});

	test(`${name}: every kept token that the library reached before is reached after`, async t => {
		const files = await readFixture(name);
		const {before, after, keep} = await prune(files, randomCounts(files.model.tokens.length, 0.3, randomNumbers(3)));
		const isAdded = new Set(before.model.added.map(({id}) => id));
		const texts = Array.from(keep, id => before.model.tokens[id]!);
		const [rowsBefore, rowsAfter] = await Promise.all([bareEncoder(before).encode(texts), bareEncoder(after).encode(texts)]);
		let reached = 0;
		for (const [place, id] of keep.entries()) {
			t.is(after.model.tokens[place], before.model.tokens[id]);
			if (!isAdded.has(id) && rowsBefore[place]!.length === 1 && rowsBefore[place]![0] === id) {
				reached++;
				t.deepEqual([...rowsAfter[place]!], [place], `token ${texts[place]}`);
			}
		}

		t.true(reached > keep.length / 3);
	});

	test(`${name}: the simulation says of every token what the library says`, async t => {
		const encoder = createEncoder(await readFixture(name));
		const derive = createDerivations({...encoder.model, ignoreMerges: false});
		const {model: json} = encoder.model.json as {model: Record<string, unknown>};
		const bare = bareEncoder({...encoder, model: {...encoder.model, json: {...encoder.model.json, model: {...json, ignore_merges: false}}}});
		// A byte token is reached through a character that is no token, not through its name.
		const inModel = [...encoder.model.ids].filter(([token]) => !encoder.model.byteFallback || !byteFallbackTokens.includes(token));
		const rows = await bare.encode(inModel.map(([token]) => token));
		for (const [index, [token, id]] of inModel.entries()) {
			t.is(derive(id)!.reachable, rows[index]!.length === 1 && rows[index]![0] === id, `token ${JSON.stringify(token)}`);
		}
	});

	test(`${name}: with nothing used, any text can still be encoded, all 256 bytes if they could before`, async t => {
		const files = await readFixture(name);
		const {before, after} = await prune(files, new Float64Array(files.model.tokens.length));
		const symbols = {'byte-level': byteLevelSymbols, 'byte-fallback': byteFallbackTokens, characters: alphabet(before.model).map(id => before.model.tokens[id]!)}[alphabetKind(before.model)];
		t.true(name === 'unigram' || symbols.length === 256);
		for (const symbol of symbols) {
			t.is(after.model.tokens[after.model.ids.get(symbol) ?? -1], symbol);
		}

		const text = Array.from({length: 0x7_00}, (_, point) => String.fromCodePoint(point)).join('') + '日本語🙂\uFFFF';
		t.deepEqual(await after.decode(await after.encode([text])), await before.decode(await before.encode([text])));
	});
}

test('without the tokens on the way, the same corpus would have other tokens: the closure is what keeps them', async t => {
	const files = await readFixture('qwen');
	const corpus = Array.from({length: 40}, (_, seed) => randomText(randomNumbers(seed), 8));
	const counts = await countsOf(createEncoder(files), corpus);
	const used = [...counts.keys()].filter(id => counts[id]! > 0);
	const keep = Uint32Array.from(new Set([...used, ...alphabet(files.model), ...files.model.added.map(({id}) => id)])).sort();
	const after = createEncoder(rewriteTokenizer(files, keep).files.get('tokenizer.json')!);
	const rows = await after.encode(corpus);
	t.notDeepEqual(rows.map(row => Array.from(row, id => keep[id])), (await createEncoder(files).encode(corpus)).map(row => [...row]));
});
