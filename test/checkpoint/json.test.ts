import test from 'ava';
import {formatJson} from '../../ts/checkpoint/jsonformat.js';
import {duplicateKey} from '../../ts/checkpoint/jsonscan.js';

const duplicates: ReadonlyArray<readonly [text: string, path: readonly string[] | undefined]> = [
	['{}', undefined],
	['{"a": 1, "b": {"a": 1}, "c": [{"a": 1}, {"a": 1}]}', undefined],
	['{"a": "a", "b": "{\\"a\\": 1, \\"a\\": 1}"}', undefined],
	['{"a": 1, "a": 1}', ['a']],
	['{"a": {"x": [1, {"y": 1, "y": 2}]}}', ['a', 'x', '1', 'y']],
	['{"a\\\\": 1, "b\\"": 2, "b\\u0022": 3}', ['b"']],
	['{"": 1, "": 2}', ['']],
];

for (const [text, path] of duplicates) {
	test(`the first duplicate key of ${text} is at ${JSON.stringify(path)}`, t => {
		t.notThrows(() => JSON.parse(text) as unknown);
		t.deepEqual(duplicateKey(text), path);
	});
}

test('a string of megabytes full of escapes does not overflow the scan', t => {
	t.is(duplicateKey(JSON.stringify({a: '"\\'.repeat(2_000_000), b: 'x'.repeat(4_000_000)})), undefined);
});

test('numbers that did not change are written as they were, changed ones as JavaScript does', t => {
	const like = '{"initializer_range": 1.0, "rms_norm_eps": 1e-05, "vocab_size": 96, "list": [1.0, 2.50], "nested": {"factor": 8.0}, "big": 12345678901234567890}';
	const value = {...(JSON.parse(like) as Record<string, unknown>), vocab_size: 64, list: [1, 3]};
	t.is(formatJson(value, like), '{\n  "initializer_range": 1.0,\n  "rms_norm_eps": 1e-05,\n  "vocab_size": 64,\n  "list": [\n    1.0,\n    3\n  ],\n  "nested": {\n    "factor": 8.0\n  },\n  "big": 12345678901234567890\n}\n');
});

test('without a text to follow, the JSON is that of JSON.stringify', t => {
	const value = {a: [], b: {}, c: [1, 'é"\n', null, true, {d: [[1]]}], gone: undefined};
	t.is(formatJson(value), `${JSON.stringify(value, undefined, 2)}\n`);
});
