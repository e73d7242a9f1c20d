import {join} from 'node:path';
import test from 'ava';
import {readTexts} from '../../ts/calibration/texts.js';
import {countTokens} from '../../ts/tokenizer/count.js';
import {createEncoder} from '../../ts/tokenizer/encoder.js';
import {readTokenizer} from '../../ts/tokenizer/files.js';
import {proveTokenizer} from '../../ts/tokenizer/prove.js';
import {rewriteTokenizer} from '../../ts/tokenizer/rewrite.js';
import {selectVocabulary} from '../../ts/tokenizer/select.js';
import {root} from './support.js';

const folder = join(root, 'examples', 'tiny-coder');

test('the embedded model\'s tokenizer is pruned to a corpus of code, and proved on it', async t => {
	const source = {paths: [join(folder, 'data', 'corpus.jsonl')]};
	const files = await readTokenizer(folder);
	const before = createEncoder(files);
	const size = files.model.tokens.length;
	const {counts, tokens} = await countTokens({encoder: before, texts: readTexts(source), size});
	const {keep, coverage} = await selectVocabulary({files, counts, selection: {kind: 'used'}, modelVocabulary: size});
	t.is(coverage, 1);
	t.true(keep.length < size);
	const after = createEncoder(rewriteTokenizer(files, keep).files.get('tokenizer.json')!);
	const proof = await proveTokenizer({before, after, keep, texts: readTexts(source), exact: true});
	t.like(proof, {differing: 0, tokensBefore: tokens, tokensAfter: tokens});
	t.is(proof.reachable, keep.length - files.model.added.length);
});
