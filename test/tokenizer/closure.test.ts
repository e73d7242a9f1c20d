import test from 'ava';
import {createAncestors, createDerivations} from '../../ts/tokenizer/closure.js';
import {createEncoder} from '../../ts/tokenizer/encoder.js';
import {readModel} from '../../ts/tokenizer/model.js';
import {bpeJson, readFixture} from './support.js';

const derivation = (tokens: readonly string[], merges: readonly unknown[], token: string, model = {}) => {
	const read = readModel(bpeJson(tokens, merges, {}, model), 'tokenizer.json');
	const found = createDerivations(read)(read.ids.get(token)!)!;
	return {reachable: found.reachable, through: found.through.map(id => tokens[id]).sort()};
};

test('a token passes through its characters and every product in between', t => {
	t.deepEqual(derivation(['a', 'b', 'c', 'ab', 'abc', 'bc'], ['b c', 'a b', 'a bc'], 'abc'), {reachable: true, through: ['a', 'abc', 'b', 'bc', 'c']});
});

test('the rank decides about the way, not the length', t => {
	t.deepEqual(derivation(['a', 'b', 'c', 'd', 'ab', 'cd', 'bc', 'abcd'], ['c d', 'b c', 'a b', 'ab cd'], 'abcd'), {reachable: true, through: ['a', 'ab', 'abcd', 'b', 'c', 'cd', 'd']});
});

test('a token whose parts merge with others first is unreachable', t => {
	t.deepEqual(derivation(['a', 'b', 'c', 'ab', 'bc', 'abc'], ['b c', 'a b', 'ab c'], 'abc'), {reachable: false, through: ['abc']});
});

test('a token with a character that the vocabulary lacks is unreachable', t => {
	t.deepEqual(derivation(['a', 'ax'], [], 'ax'), {reachable: false, through: ['ax']});
});

test('a pair listed twice has its last rank', t => {
	t.false(derivation(['a', 'b', 'c', 'ab', 'bc', 'abc'], ['a b', 'b c', 'a b', 'ab c'], 'abc').reachable);
});

test('a queued merge whose symbols have gone is passed over', t => {
	t.deepEqual(derivation(['a', 'b', 'c', 'ab', 'bc', 'abc'], ['a b', 'b c', 'ab c'], 'abc'), {reachable: true, through: ['a', 'ab', 'abc', 'b', 'c']});
});

test('subword prefixes and word ends are part of the symbols', t => {
	const tokens = ['a', '##b', '##c', '##bc', 'a##', '##c</w>', '##bc</w>'];
	t.deepEqual(derivation(tokens, ['##b ##c'], '##bc', {continuing_subword_prefix: '##'}), {reachable: true, through: ['##b', '##bc', '##c']});
	t.deepEqual(derivation(tokens, ['##b ##c</w>'], '##bc</w>', {continuing_subword_prefix: '##', end_of_word_suffix: '</w>'}), {reachable: true, through: ['##b', '##bc</w>', '##c</w>']});
});

test('merges of byte-fallback tokens are followed', t => {
	const bytes = Array.from({length: 256}, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
	t.deepEqual(derivation([...bytes, '<0xC3><0xA9>'], ['<0xC3> <0xA9>'], '<0xC3><0xA9>', {byte_fallback: true}), {reachable: true, through: ['<0xA9>', '<0xC3>', '<0xC3><0xA9>']});
});

test('ancestors are all that any merges could make a token from', t => {
	const tokens = ['a', 'b', 'c', 'ab', 'bc', 'abc'];
	const model = readModel(bpeJson(tokens, ['b c', 'a b', 'ab c', 'a bc']), 'tokenizer.json');
	t.deepEqual(createAncestors(model)(5).map(id => tokens[id]).sort(), ['a', 'ab', 'abc', 'b', 'bc', 'c']);
});

test('an added token that the model lacks has no derivation', async t => {
	const {model} = await readFixture('qwen');
	t.is(createDerivations(model)(801), undefined);
});

test('a Unigram piece that splits better is unreachable', t => {
	const model = readModel({model: {type: 'Unigram', unk_id: 0, vocab: [['<unk>', 0], ['a', -1], ['b', -1], ['ab', -3], ['ba', -1.5]]}}, 'tokenizer.json');
	const derive = createDerivations(model);
	t.deepEqual([1, 2, 3, 4].map(id => derive(id)!.reachable), [true, true, false, true]);
});

test('of equally good segmentations the one that the library takes counts', async t => {
	const json = {version: '1.0', added_tokens: [], model: {type: 'Unigram', unk_id: 0, vocab: [['<unk>', 0], ['a', -1], ['b', -1], ['c', -1], ['ab', -2], ['bc', -2], ['abc', -3]]}};
	const model = readModel(json, 'tokenizer.json');
	const derive = createDerivations(model);
	const rows = await createEncoder(JSON.stringify(json)).encode(model.tokens as string[]);
	t.deepEqual([4, 5, 6].map(id => derive(id)!.reachable), [4, 5, 6].map(id => rows[id]!.length === 1));
});
