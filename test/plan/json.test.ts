import test from 'ava';
import {toJson} from '../../ts/plan/json.js';

const values: readonly unknown[] = [null, 0, 'a"b\n\u2028', [], {}, [1, 'a', null], [[0, 3], [5, 9]], [[[0, 3]], [[1, 2]]], {a: {b: [{c: 1}, {c: [2]}]}}, {long: 'x'.repeat(200)}, [{}], {'': [[]]}];

for (const value of values) {
	test(`${JSON.stringify(value).slice(0, 60)} is read back as it was`, t => {
		const text = toJson(value);
		t.deepEqual(JSON.parse(text), value);
		t.true(text.endsWith('\n'));
	});
}

test('members that are undefined are left out, alone and among others', t => {
	t.deepEqual(JSON.parse(toJson({a: undefined, b: 1, c: {d: undefined}})), {b: 1, c: {}});
	t.deepEqual(JSON.parse(toJson({a: undefined, b: [{c: undefined, d: [[[1]]]}]})), {b: [{d: [[[1]]]}]});
});

test('flat arrays and small objects take one line, others a line for each member', t => {
	t.is(toJson({a: [[0, 3], [5, 9]], b: [{c: 1, d: 2}, {c: 3, d: 4}]}), '{\n  "a": [[0,3],[5,9]],\n  "b": [\n    {"c": 1, "d": 2},\n    {"c": 3, "d": 4}\n  ]\n}\n');
});
