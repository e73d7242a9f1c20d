import test from 'ava';
import {createEncoder} from '../../ts/tokenizer/encoder.js';
import {proveTokenizer} from '../../ts/tokenizer/prove.js';
import {rewriteTokenizer} from '../../ts/tokenizer/rewrite.js';
import {selectVocabulary} from '../../ts/tokenizer/select.js';
import {bpeJson, countsOf, filesOf, fixtureNames, randomNumbers, randomText, readFixture, streamOf} from './support.js';

const random = randomNumbers(5);
const corpus = Array.from({length: 40}, () => randomText(random, 10));

for (const name of fixtureNames) {
	for (const selection of [{kind: 'used'}, {kind: 'top', count: 20}] as const) {
		test(`${name}: the selection ${selection.kind} is proved`, async t => {
			const files = await readFixture(name);
			const before = createEncoder(files);
			const counts = await countsOf(before, corpus);
			const {keep} = await selectVocabulary({files, counts, selection, modelVocabulary: counts.length});
			const after = createEncoder(rewriteTokenizer(files, keep).files.get('tokenizer.json')!);
			const proof = await proveTokenizer({before, after, keep, texts: streamOf(corpus), exact: selection.kind === 'used'});
			t.is(proof.texts, 40);
			t.true(proof.reachable > 50);
			if (selection.kind === 'used') {
				t.like(proof, {differing: 0, tokensAfter: proof.tokensBefore, firstDifference: undefined});
			} else {
				t.true(proof.differing > 0);
				t.true(proof.tokensAfter > proof.tokensBefore);
				t.like(proof.firstDifference, {file: 'corpus.jsonl'});
			}
		});
	}
}

const tokens = ['a', 'b', 'c', 'ab', 'abc'];
const merges = ['a b', 'ab c'];
const before = createEncoder(filesOf(bpeJson(tokens, merges)));
const prove = async (afterTokens: readonly string[], afterMerges: readonly string[], keep: readonly number[], exact: boolean, text = 'cabc') => proveTokenizer({
	before, after: createEncoder(filesOf(bpeJson(afterTokens, afterMerges))), keep: Uint32Array.from(keep), texts: streamOf(['a', text], 'x.txt'), exact,
});

test('a text that lost a token is a failure when it must be exact, with place and both tokens', async t => {
	await t.throwsAsync(prove(['a', 'b', 'c', 'ab'], ['a b'], [0, 1, 2, 3], true), {
		code: 'ERR_PROOF', message: 'x.txt, record 2, position 1: expected token 4 ("abc"), the pruned tokenizer gives token 3 ("ab")',
	});
});

test('a text that lost a token is counted when it need not be exact', async t => {
	t.deepEqual(await prove(['a', 'b', 'c', 'ab'], ['a b'], [0, 1, 2, 3], false), {
		texts: 2, tokensBefore: 3, tokensAfter: 4, differing: 1, firstDifference: {file: 'x.txt', record: 2}, reachable: 4,
	});
});

test('other tokens for a text whose tokens are all kept are a failure in any case', async t => {
	const tokens = ['a', 'b', 'c', 'ab', 'bc'];
	const [full, other] = [['a b', 'b c'], ['b c', 'a b']].map(merges => createEncoder(filesOf(bpeJson(tokens, merges))));
	await t.throwsAsync(proveTokenizer({before: full!, after: other!, keep: Uint32Array.of(0, 1, 2, 3, 4), texts: streamOf(['abc']), exact: false}), {
		code: 'ERR_PROOF', message: 'corpus.jsonl, record 1, position 0: expected token 3 ("ab"), the pruned tokenizer gives token 0 ("a")',
	});
});

test('a lost merge makes a token unreachable, which is a failure even if the corpus does not notice', async t => {
	await t.throwsAsync(prove(tokens, ['a b'], [0, 1, 2, 3, 4], false, 'c'), {
		code: 'ERR_PROOF', message: 'Token 4 ("abc"): expected the pruned tokenizer to reach it as token 4, it can\'t',
	});
});

test('a lost symbol of the alphabet is a failure', async t => {
	await t.throwsAsync(prove(['a', 'b', 'ab'], ['a b'], [0, 1, 3], false, 'ab'), {
		code: 'ERR_PROOF', message: 'Token 2 ("c"): expected the pruned tokenizer to keep it, since texts could need it; it is gone',
	});
});

test('a text that decodes to another one is a failure', async t => {
	const full = createEncoder(filesOf(bpeJson(['a', 'b', 'ab'], ['a b'], {decoder: {type: 'Replace', pattern: {String: 'ab'}, content: 'X'}})));
	const after = createEncoder(filesOf(bpeJson(['a', 'b'], [], {decoder: {type: 'Replace', pattern: {String: 'ab'}, content: 'X'}})));
	await t.throwsAsync(proveTokenizer({before: full, after, keep: Uint32Array.of(0, 1), texts: streamOf(['b', 'ab']), exact: false}), {
		code: 'ERR_PROOF', message: 'corpus.jsonl, record 2: the pruned tokenizer\'s tokens stand for another text, from character 0 on',
	});
});

test('a cancelled proof ends with ERR_ABORTED', async t => {
	const signal = AbortSignal.abort();
	await t.throwsAsync(proveTokenizer({before, after: before, keep: Uint32Array.of(0, 1, 2, 3, 4), texts: streamOf(['a']), exact: true}, {signal}), {code: 'ERR_ABORTED'});
});
