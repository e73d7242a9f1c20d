import test from 'ava';
import {load} from './load.js';

const {selectCases} = await load('select.mjs');
const {UsageError} = await load('flags.mjs');

const cases = ['kl/bf16/1', 'limit/copy', 'kl-head/bf16/2', 'product/f32/3'].map(name => ({name}));
const names = (...words: readonly string[]) => selectCases(cases, words).map(({name}: {name: string}) => name);

test('limits come first, and always', t => {
	t.deepEqual(names(), ['limit/copy', 'kl/bf16/1', 'kl-head/bf16/2', 'product/f32/3']);
	t.deepEqual(names('product'), ['limit/copy', 'product/f32/3']);
});

test('limits of a GPU are there where another case of it is, or where they are asked for', t => {
	const all = [...cases, ...['gpu/limit/copy', 'gpu/kl/bf16/1'].map(name => ({name}))];
	const selected = (...words: readonly string[]) => selectCases(all, words).map(({name}: {name: string}) => name);
	t.deepEqual(selected('product'), ['limit/copy', 'product/f32/3']);
	t.deepEqual(selected('gpu/kl'), ['limit/copy', 'gpu/limit/copy', 'gpu/kl/bf16/1']);
	t.deepEqual(selected('gpu/limit'), ['limit/copy', 'gpu/limit/copy']);
});

test('a word is a part of a name, several are any of them', t => {
	t.deepEqual(names('kl/'), ['limit/copy', 'kl/bf16/1']);
	t.deepEqual(names('kl', 'f32'), ['limit/copy', 'kl/bf16/1', 'kl-head/bf16/2', 'product/f32/3']);
	t.deepEqual(names('limit'), ['limit/copy']);
});

test('words that are in no name are refused, all at once', t => {
	t.throws(() => names('kl', 'nope', 'x/y'), {instanceOf: UsageError, message: 'No case has "nope" or "x/y" in its name. npm run bench -- --list prints the names.'});
});
