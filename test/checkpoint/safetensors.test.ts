import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {dtypeBits} from '../../ts/checkpoint/dtypes.js';
import {readHeader} from '../../ts/checkpoint/safetensors.js';
import {encodeHeader} from '../../ts/checkpoint/writeheader.js';
import {rawSafetensors, safetensorsFile, temporaryFolder} from '../fixtures/pico.js';

const entry = (dtype: string, shape: readonly unknown[], begin: unknown, end: unknown): unknown => ({dtype, shape, data_offsets: [begin, end]});
const file = (header: Record<string, unknown>, dataBytes: number): Buffer => rawSafetensors(JSON.stringify(header), Buffer.alloc(dataBytes));
const length = (bytes: bigint, rest = ''): Buffer => {
	const prefix = Buffer.alloc(8);
	prefix.writeBigUInt64LE(bytes);
	return Buffer.concat([prefix, Buffer.from(rest)]);
};

const good = {a: entry('F32', [2, 2], 0, 16), b: entry('BF16', [3], 16, 22)};

// Each file is damaged in one way; the message must say which.
const damages: ReadonlyArray<readonly [damage: string, bytes: Buffer, message: RegExp, tensor?: string]> = [
	['is empty', Buffer.alloc(0), /\/x\.safetensors: expected at least the 8 bytes of the header's length, the file has 0$/],
	['has 7 bytes', Buffer.alloc(7), /expected at least the 8 bytes.*the file has 7$/],
	['has a header longer than the file', length(1000n, '{}'), /the header is said to be 1,000 bytes long, the file has 2 after the length/],
	['has a header of 2^63 bytes', length(2n ** 63n, '{}'), /the header is said to be 9,223,372,036,854,775,808 bytes long, the file has 2/],
	['has no header', length(0n), /expected a header that starts with "\{", got ""/],
	['is HTML', length(6n, '<html>'), /expected a header that starts with "\{", got "<html>"/],
	['has a header that is a list', length(2n, '[]'), /expected a header that starts with "\{"/],
	['has a header cut short', length(5n, '{"a":'), /not valid JSON/],
	['has a header that is not UTF-8', Buffer.concat([length(4n), Buffer.from([0x7b, 0x22, 0xff, 0x7d])]), /expected a header in UTF-8, got other bytes/],
	['has metadata that is a list', file({__metadata__: ['pt']}, 0), /expected "__metadata__" to be an object of texts, got \["pt"\]/],
	['has a number in its metadata', file({__metadata__: {format: 1}}, 0), /expected "__metadata__" to hold texts, got 1 for "format"/],
	['has a tensor twice', rawSafetensors(`{"a":${JSON.stringify(good.a)},"a":${JSON.stringify(good.a)}}`, Buffer.alloc(16)), /"a" is in the header twice/, 'a'],
	['has a tensor twice, once with an escape', rawSafetensors(`{"a":${JSON.stringify(good.a)},"\\u0061":${JSON.stringify(good.a)}}`, Buffer.alloc(16)), /"a" is in the header twice/, 'a'],
	['has a key of a tensor twice', rawSafetensors('{"a":{"dtype":"F32","dtype":"F16","shape":[4],"data_offsets":[0,8]}}', Buffer.alloc(8)), /"a" has the key "dtype" twice/, 'a'],
	['has a tensor that is null', file({a: null}, 0), /"a" expected an object with dtype, shape and data_offsets, got null/, 'a'],
	['has an unknown dtype', file({a: entry('F12', [2], 0, 3)}, 3), /"a" has the dtype "F12", expected one of BOOL, U8/, 'a'],
	['has a dtype called like a method', file({a: entry('toString', [2], 0, 3)}, 3), /"a" has the dtype "toString"/, 'a'],
	['has no dtype', file({a: {shape: [1], data_offsets: [0, 4]}}, 4), /"a" has the dtype undefined/, 'a'],
	['has a negative size', file({a: entry('F32', [-1, 4], 0, 16)}, 16), /"a" has the shape \[-1,4\], expected an array of whole numbers from 0/, 'a'],
	['has a size of one and a half', file({a: entry('F32', [1.5], 0, 6)}, 6), /"a" has the shape \[1\.5\], expected/, 'a'],
	['has a size that is a text', file({a: entry('F32', ['4'], 0, 16)}, 16), /"a" has the shape \["4"\], expected/, 'a'],
	['has a size beyond 2^53', rawSafetensors('{"a":{"dtype":"F32","shape":[36028797018963968],"data_offsets":[0,16]}}', Buffer.alloc(16)), /"a" has the shape \[36028797018963970\], expected/, 'a'],
	['has sizes whose product passes 2^53', file({a: entry('F32', [2 ** 40, 2 ** 40], 0, 16)}, 16), /"a" has shape \[1099511627776, 1099511627776\] of F32, which is more bytes than/, 'a'],
	['has sizes whose product wraps to what is there', file({a: entry('F32', [2 ** 32, 2 ** 32, 4], 0, 0)}, 0), /"a" has shape .* more bytes than/, 'a'],
	['has four-bit elements that end in mid-byte', file({a: entry('F4', [3], 0, 2)}, 2), /"a" has shape \[3\] of F4, which is .* not whole bytes/, 'a'],
	['has a shape that does not match its bytes', file({a: entry('F32', [3], 0, 16)}, 16), /"a" of shape \[3\] and dtype F32 takes 12 bytes, its offsets span 16/, 'a'],
	['has one offset', file({a: {dtype: 'F32', shape: [1], data_offsets: [0]}}, 4), /"a" has the data_offsets \[0\], expected \[begin, end\]/, 'a'],
	['has a negative offset', file({a: entry('F32', [1], -4, 0)}, 4), /"a" has the data_offsets \[-4,0\], expected/, 'a'],
	['has reversed offsets', file({a: entry('F32', [1], 4, 0)}, 4), /"a" begins at byte 4 of the data and ends before it, at 0/, 'a'],
	['is truncated', file(good, 20), /"b" ends at byte \d+, the file has \d+: it is truncated/, 'b'],
	['has a tensor past the end', file({...good, c: entry('U8', [4], 22, 26)}, 22), /"c" ends at byte \d+, the file has \d+: it is truncated/, 'c'],
	['is too long', file(good, 23), /: 1 bytes follow the last tensor: .*it is too long/],
	['has data and no tensor', file({}, 5), /: 5 bytes follow the last tensor/],
	['has overlapping tensors', file({...good, c: entry('U8', [4], 20, 24)}, 24), /"c" begins at byte \d+ and overlaps "b", which ends at \d+/, 'c'],
	['has the same bytes for two tensors', file({a: entry('F32', [1], 0, 4), b: entry('F32', [1], 0, 4)}, 4), /"b" begins at byte \d+ and overlaps "a"/, 'b'],
	['has an empty tensor inside another', file({a: entry('F32', [1], 0, 4), e: entry('F32', [0], 2, 2)}, 4), /"e" begins at byte \d+ and overlaps "a"/, 'e'],
	['has a gap before the first tensor', file({a: entry('F32', [1], 4, 8)}, 8), /"a" begins at byte \d+ and leaves a gap after the header/, 'a'],
	['has a gap between tensors', file({a: entry('F32', [1], 0, 4), b: entry('F32', [1], 8, 12)}, 12), /"b" begins at byte \d+ and leaves a gap after "a"/, 'b'],
];

for (const [damage, bytes, message, tensor] of damages) {
	test(`refuses a file that ${damage}`, async t => {
		const path = join(await temporaryFolder(t), 'x.safetensors');
		await writeFile(path, bytes);
		const error = await t.throwsAsync(readHeader(path));
		t.like(error, {code: 'ERR_BAD_FILE', file: path, tensor});
		t.regex(error!.message, message);
	});
}

test('refuses a file that is not there with ERR_READ', async t => {
	await t.throwsAsync(readHeader(join(await temporaryFolder(t), 'none.safetensors')), {code: 'ERR_READ', message: /none\.safetensors: could not read: no such file/});
});

test('refuses a folder in place of a file', async t => {
	await t.throwsAsync(readHeader(await temporaryFolder(t)), {code: 'ERR_BAD_FILE', message: /expected a regular file/});
});

test('reads names, places and metadata, in the order of the data', async t => {
	const path = join(await temporaryFolder(t), 'x.safetensors');
	const header = JSON.stringify({b: entry('BF16', [3], 16, 22), __metadata__: {format: 'pt', note: 'x'}, a: entry('F32', [2, 2], 0, 16)});
	await writeFile(path, rawSafetensors(header, Buffer.alloc(22)));
	const {file: name, metadata, tensors, bytes} = await readHeader(path);
	const begin = bytes - 22;
	t.is(name, 'x.safetensors');
	t.deepEqual(metadata, {format: 'pt', note: 'x'});
	t.deepEqual(tensors, [
		{name: 'a', file: name, path, dtype: 'F32', itemBits: 32, shape: [2, 2], begin, bytes: 16},
		{name: 'b', file: name, path, dtype: 'BF16', itemBits: 16, shape: [3], begin: begin + 16, bytes: 6},
	]);
});

test('empty tensors, scalars, every dtype and a file without tensors are legal', async t => {
	const path = join(await temporaryFolder(t), 'x.safetensors');
	const all = Object.entries(dtypeBits).map(([dtype, bits]) => ({name: dtype, dtype, shape: [8], data: Buffer.alloc(bits)}));
	const tensors = [
		{name: 'empty first', dtype: 'F32', shape: [0, 2 ** 50, 2 ** 50], data: Buffer.alloc(0)},
		...all,
		{name: 'scalar', dtype: 'F64', shape: [], data: Buffer.alloc(8)},
		{name: 'empty last', dtype: 'F32', shape: [0], data: Buffer.alloc(0)},
	];
	await writeFile(path, safetensorsFile(tensors));
	t.deepEqual((await readHeader(path)).tensors.map(({name, bytes}) => [name, bytes]).sort(), tensors.map(({name, data}) => [name, data.length]).sort());

	await writeFile(path, rawSafetensors('{}'));
	t.deepEqual((await readHeader(path)).tensors, []);
});

// Deterministic pseudo-random numbers from 0 to below `limit`.
const dice = (seed: number) => (limit: number): number => {
	seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
	return Math.floor(((seed >>> 8) / 2 ** 24) * limit);
};

for (let seed = 1; seed <= 20; seed++) {
	test(`a header that is written is read back the same (seed ${seed})`, async t => {
		const roll = dice(seed);
		const dtypes = Object.keys(dtypeBits).filter(dtype => dtypeBits[dtype]! >= 8);
		const names = ['a', 'é"\\\n', '__proto__', '1', '0', 'model.layers.0.x', '𝄞', 'constructor'].slice(0, roll(9));
		const tensors = names.map(name => {
			const dtype = dtypes[roll(dtypes.length)]!;
			const shape = Array.from({length: roll(4)}, () => roll(5));
			return {name, dtype, shape, bytes: shape.reduce((a, b) => a * b, dtypeBits[dtype]! / 8)};
		});
		const metadata: Record<string, string> = roll(2) === 0 ? {} : {format: 'pt', 'ключ "x"': 'значение\n'};
		const header = encodeHeader(tensors, metadata);
		const path = join(await temporaryFolder(t), 'x.safetensors');
		await writeFile(path, Buffer.concat([header, Buffer.alloc(tensors.reduce((sum, {bytes}) => sum + bytes, 0))]));

		const read = await readHeader(path);
		t.is(header.length % 8, 0);
		t.deepEqual(read.metadata, metadata);
		const byName = (a: {name: string}, b: {name: string}): number => (a.name < b.name ? -1 : 1);
		t.deepEqual(read.tensors.map(({name, dtype, shape, bytes}) => ({name, dtype, shape, bytes})).sort(byName), [...tensors].sort(byName));
	});
}
