import test from 'ava';
import {createCutter} from '../../ts/tokenizer/cutter.js';
import {pieceTokenizer} from '../../ts/tokenizer/cuts.js';
import {createDictionary, hashSeed, hashUnit} from '../../ts/tokenizer/dictionary.js';
import {randomNumbers, randomText, readFixture} from './support.js';

const {cuts} = pieceTokenizer((await readFixture('qwen')).model)!;

test('pieces are numbered as they come, over calls, and anew after clearing', t => {
	const cutter = createCutter(cuts);
	const first = cutter.cut(['a b a', '', ' b']);
	t.deepEqual([[...first.pieces], [...first.ends], first.fresh, first.whole], [[0, 1, 2, 1], [3, 3, 4], ['a', ' b', ' a'], []]);
	const second = cutter.cut(['<|im_end|>', ' a c']);
	t.deepEqual([[...second.pieces], [...second.ends], second.fresh, second.whole], [[2, 3], [0, 2], [' c'], [0]]);
	cutter.clear();
	t.deepEqual(cutter.cut([' c']).fresh, [' c']);
});

test('the pieces of a text put together are the text, surrogates on their own too', t => {
	const random = randomNumbers(3);
	const texts = Array.from({length: 300}, (_, round) => `${randomText(random, 20)}${round % 3 === 0 ? '\uD83D' : '🙂'}`).filter(text => !/<\|im_end\|>/.test(text));
	const {pieces, ends, fresh} = createCutter(cuts).cut(texts);
	t.deepEqual(texts.map((_, index) => Array.from(pieces.subarray(ends[index - 1] ?? 0, ends[index]), piece => fresh[piece]).join('')), texts);
});

const hashOf = (text: string): number => Array.from({length: text.length}, (_, at) => text.charCodeAt(at)).reduce(hashUnit, hashSeed);

test('a dictionary is a map, however large, and whatever the hashes', t => {
	const random = randomNumbers(2);
	for (const hash of [hashOf, (text: string) => text.length % 3]) {
		const dictionary = createDictionary();
		const expected = new Map<string, number>();
		for (let round = 0; round < (hash === hashOf ? 300_000 : 4000); round++) {
			const word = String.fromCharCode(97 + Math.floor(random() * 26), 0x65_E5 + Math.floor(random() * 300), Math.floor(random() * 65_536)).slice(0, Math.floor(random() * 4));
			const number = expected.get(word) ?? expected.size;
			expected.set(word, number);
			const got = dictionary.numberOf(`<${word}>`, 1, 1 + word.length, hash(word));
			if (got !== number || dictionary.size() !== expected.size) {
				t.is(got, number, JSON.stringify(word));
			}
		}

		t.true(expected.size > 1000);
		dictionary.clear();
		t.is(dictionary.size(), 0);
		t.is(dictionary.numberOf('new', 0, 3, hash('new')), 0);
	}
});
