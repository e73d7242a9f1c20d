import {createRequire} from 'node:module';
import test from 'ava';
import {Tokenizer} from 'tokenizers';
import {allowsCuts, pieceTokenizer, separator, type Cuts} from '../../ts/tokenizer/cuts.js';
import {createCutter} from '../../ts/tokenizer/cutter.js';
import {createEncoder, createPieceEncoder, idsAt} from '../../ts/tokenizer/encoder.js';
import {readModel} from '../../ts/tokenizer/model.js';
import {bpeJson, randomNumbers, randomText, readFixture} from './support.js';

// Which words a text has, and which tokens, the library says itself: of whole texts, and of their pieces.

const qwen = (await readFixture('qwen')).model.json;
const llama = (await readFixture('llama')).model.json;

const byteLevel = (useRegex: boolean) => ({type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: useRegex});
const split = (regex: string) => ({type: 'Sequence', pretokenizers: [{type: 'Split', pattern: {Regex: regex}, behavior: 'Isolated', invert: false}, byteLevel(false)]});
const cl100k = (digits: string) => String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const digits = (individual: boolean) => ({type: 'Sequence', pretokenizers: [{type: 'Digits', individual_digits: individual}, byteLevel(true)]});

const patterns: Readonly<Record<string, Record<string, unknown>>> = {
	'GPT-2': {normalizer: null, pre_tokenizer: byteLevel(true)},
	'GPT-2 in a sequence of one': {normalizer: null, pre_tokenizer: {type: 'Sequence', pretokenizers: [byteLevel(true)]}},
	'GPT-2 with digits one by one': {normalizer: null, pre_tokenizer: digits(true)},
	'GPT-2 with numbers': {normalizer: {type: 'NFC'}, pre_tokenizer: digits(false)},
	'Qwen 2': {normalizer: {type: 'NFC'}, pre_tokenizer: split(cl100k(''))},
	'Llama 3': {normalizer: null, pre_tokenizer: split(cl100k('{1,3}'))},
};

const atoms = [
	...'abzAZ059', '\'', '\'s', '\'S', '\'re', '\'LL', ' ', '  ', '    ', '\t', '\n', '\n\n', '\r\n', '\r', '\u000B', '\f', '\u0000', '\u007F', '\u0085', '\u00A0', '\u2028', '\u3000',
	...'!"#$%&()*+,-./:;<=>?@[]^_`{|}~', '\\', '==', '):', 'é', 'e\u0301', '\u0301', '\u0338', 'ſ', '\u212A', '\u037E', '٣', '²', '½', 'Ⅷ', '日本', '🙂', '\uFE0F', '\u200D', '→', '…', '\u0BCD', 'ʼ', 'ͅ',
];

/** A text of random atoms: every pair of kinds of characters comes up side by side. */
const anyText = (random: () => number, length: number): string => Array.from({length}, () => atoms[Math.floor(random() * atoms.length)]!).join('');

const cutsOf = (json: Record<string, unknown>): Cuts | undefined => pieceTokenizer(readModel(json, 'tokenizer.json'))?.cuts;

/** The pieces of a text; undefined if it may not be cut. */
const piecesOf = (cuts: Cuts, text: string): string[] | undefined => {
	const {pieces, fresh, whole} = createCutter(cuts).cut([text]);
	return whole.length === 0 ? Array.from(pieces, piece => fresh[piece]!) : undefined;
};

for (const [name, parts] of Object.entries(patterns)) {
	test(`${name}: the words of a text are those of its pieces`, t => {
		const json = {...qwen, ...parts, truncation: null, padding: null};
		const cuts = cutsOf(json)!;
		const tokenizer = Tokenizer.fromString(JSON.stringify(json));
		const [normalizer, splitter] = [tokenizer.getNormalizer(), tokenizer.getPreTokenizer()!];
		const wordsOf = (text: string): string[] => splitter.preTokenizeString(normalizer?.normalizeString(text) ?? text).map(([word]) => word);
		const random = randomNumbers(4);
		const texts = Array.from({length: 20_000}, () => anyText(random, 2 + Math.floor(random() * 8)));
		const {pieces, ends, fresh} = createCutter(cuts).cut(texts);
		let wordCount = 0;
		for (const [index, text] of texts.entries()) {
			const own = Array.from(pieces.subarray(ends[index - 1] ?? 0, ends[index]), piece => fresh[piece]!);
			const expected = [text, ...wordsOf(text)];
			const got = [own.join(''), ...own.flatMap(piece => wordsOf(piece))];
			wordCount += expected.length - 1;
			if (JSON.stringify(got) !== JSON.stringify(expected)) {
				t.deepEqual(got, expected, JSON.stringify(own));
			}
		}

		t.true(pieces.length > wordCount / 4, `${pieces.length} pieces of ${wordCount} words`);
	});
}

const metaspace = (scheme: string, isSplit: boolean) => ({normalizer: null, pre_tokenizer: {type: 'Metaspace', replacement: '▁', prepend_scheme: scheme, split: isSplit}});

const wholeTexts: Readonly<Record<string, Record<string, unknown>>> = {
	'Llama 2': {},
	...Object.fromEntries(['first', 'always', 'never'].flatMap(scheme => [true, false].map(isSplit => [`Metaspace, ${scheme}, split: ${isSplit}`, metaspace(scheme, isSplit)]))),
};

for (const [name, json] of [
	...Object.entries(patterns).map(([name, parts]) => [name, {...qwen, ...parts, truncation: null, padding: null}] as const),
	...Object.entries(wholeTexts).map(([name, parts]) => [name, {...llama, ...parts}] as const),
]) {
	test(`${name}: the tokens of a text are those of its pieces`, async t => {
		const encoder = createEncoder(JSON.stringify(json), {addSpecialTokens: false});
		const pieceEncoder = createPieceEncoder(encoder)!;
		const random = randomNumbers(9);
		const texts = Array.from({length: 3000}, (_, round) => round % 2 === 0 ? anyText(random, 1 + Math.floor(random() * 20)) : randomText(random, 1 + Math.floor(random() * 20)));
		const expected = await encoder.encode(texts);
		const {pieces, ends, whole, fresh} = createCutter(pieceEncoder.cuts).cut(texts);
		t.true(whole.length > 0 && whole.length < 1000, 'some texts have added tokens');
		for (const threads of [1, 3]) {
			const rows = await pieceEncoder.encode(fresh, threads);
			for (const [index, text] of texts.entries()) {
				if (!whole.includes(index)) {
					const got = [...pieces.subarray(ends[index - 1] ?? 0, ends[index])].flatMap(piece => [...idsAt(rows, piece)]);
					t.deepEqual(got, [...expected[index]!], JSON.stringify(text));
				}
			}
		}
	});
}

test('merges that join a character with a space, or with a line break, forbid a cut there', async t => {
	const {model} = llama as {model: {vocab: Record<string, number>; merges: unknown[]}};
	const size = Object.keys(model.vocab).length;
	const json = {...llama, model: {...model, vocab: {...model.vocab, ';▁': size, ')\n': size + 1, '\n': size + 2}, merges: [[';', '▁'], [')', '\n'], ...model.merges]}};
	const cuts = cutsOf(json)!;
	t.deepEqual(piecesOf(cuts, 'a; b, c'), [' a', '; b', ',', ' c']);
	t.deepEqual(piecesOf(cuts, ')\n(\n'), [' ', ')\n', '(', '\n']);
	const encoder = createEncoder(JSON.stringify(json), {addSpecialTokens: false});
	const rows = await createPieceEncoder(encoder)!.encode(piecesOf(cuts, 'a; b')!, 1);
	t.deepEqual([[...rows.ids]], (await encoder.encode(['a; b'])).map(row => [...row]));
});

test('texts with an added token, whatever stands around it, or with what keeps pieces apart, are not cut', t => {
	const qwenCuts = cutsOf(qwen)!;
	for (const text of ['a<|im_end|>b', 'x <tool_call>', `a${separator}b`, `${separator}`]) {
		t.is(piecesOf(qwenCuts, text), undefined, text);
	}

	t.truthy(piecesOf(qwenCuts, '<|im_end >'));
	t.is(piecesOf(cutsOf(llama)!, 'if a <s> b'), undefined);
});

const refused: Readonly<Record<string, Record<string, unknown>>> = {
	'a prefix space': {...qwen, pre_tokenizer: {...byteLevel(true), add_prefix_space: true}},
	'another pattern': {...qwen, pre_tokenizer: split(`${cl100k('')}|x`)},
	'a pattern that is kept differently': {...qwen, pre_tokenizer: {type: 'Sequence', pretokenizers: [{type: 'Split', pattern: {Regex: cl100k('')}, behavior: 'Removed', invert: true}, byteLevel(false)]}},
	'another step': {...qwen, pre_tokenizer: {type: 'Sequence', pretokenizers: [{type: 'Punctuation', behavior: 'Isolated'}, byteLevel(true)]}},
	'no splitting at all': {...qwen, pre_tokenizer: null},
	'a normalizer that changes more': {...qwen, normalizer: {type: 'NFKC'}},
	'normalized added tokens': {...qwen, added_tokens: [{id: 800, content: '<x>', normalized: true}]},
	'added spaces': {...qwen, added_tokens: [{id: 800, content: '    ', normalized: false}]},
	'added words with a space': {...qwen, added_tokens: [{id: 800, content: 'a b', normalized: false}]},
	'a SentencePiece model with other steps': {...llama, normalizer: {type: 'Sequence', normalizers: [{type: 'Prepend', prepend: '▁'}, {type: 'NFKC'}]}},
	'a SentencePiece model that emits whole words': {...llama, model: {...llama['model'] as object, ignore_merges: true}},
	'Metaspace as older libraries wrote it': {...llama, normalizer: null, pre_tokenizer: {type: 'Metaspace', replacement: '▁', add_prefix_space: true, prepend_scheme: 'first', split: true}},
	'characters without tokens': bpeJson(['a', 'b', 'ab', '▁'], ['a b'], {normalizer: llama['normalizer']}),
};

for (const [what, json] of Object.entries(refused)) {
	test(`texts are not cut with ${what}`, t => {
		t.is(pieceTokenizer(readModel(json, 'tokenizer.json')), undefined);
	});
}

test('merges of bytes forbid all cuts', t => {
	const {model} = llama as {model: {vocab: Record<string, number>; merges: unknown[]}};
	const json = {...llama, model: {...model, vocab: {...model.vocab, '<0x0A><0x0A>': Object.keys(model.vocab).length}, merges: [...model.merges, ['<0x0A>', '<0x0A>']]}};
	t.is(cutsOf(json), undefined);
});

test('Unigram texts are not cut', async t => {
	for (const name of ['unigram', 'unigram-bytes']) {
		t.is(pieceTokenizer((await readFixture(name)).model), undefined);
	}
});

test('cuts of one tokenizer are allowed by another if it has them all', t => {
	const [narrow, wide] = [cutsOf(qwen)!, cutsOf({...qwen, pre_tokenizer: byteLevel(true), normalizer: null})!];
	t.true(allowsCuts(narrow, narrow));
	t.false(allowsCuts(narrow, wide));
	t.false(allowsCuts(cutsOf(llama)!, cutsOf({...llama, ...metaspace('always', true)})!));
});

test('the library is the version that the rules were read from', t => {
	t.regex((createRequire(import.meta.url)('tokenizers/package.json') as {version: string}).version, /^0\.23\./);
});
