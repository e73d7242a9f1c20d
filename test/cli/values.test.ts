import test from 'ava';
import {parseDrop, parseNumber, parseSize, parseVocabulary, parseWidth} from '../../ts/cli/values.js';

const cases: readonly (readonly [parse: (raw: string) => unknown, raw: string, value: unknown])[] = [
	[parseSize, '5GB', 5_000_000_000],
	[parseSize, '5gb', 5_000_000_000],
	[parseSize, '1.5 kB', 1500],
	[parseSize, '500MB', 500_000_000],
	[parseSize, '1KiB', 1024],
	[parseSize, '2MiB', 2_097_152],
	[parseSize, '4GiB', 4_294_967_296],
	[parseSize, '1000', 1000],
	[parseSize, '7B', 7],
	[parseSize, '5XB', '5XB'],
	[parseSize, '5Gb/s', '5Gb/s'],
	[parseSize, '-5GB', '-5GB'],
	[parseSize, 'GB', 'GB'],
	[parseSize, '', ''],
	[parseDrop, '4', 4],
	[parseDrop, '3,', [3]],
	[parseDrop, '3,7', [3, 7]],
	[parseDrop, '3, 7,', [3, 7]],
	[parseDrop, 'none', false],
	[parseDrop, '0', false],
	[parseDrop, '0,', [0]],
	[parseDrop, '-1', '-1'],
	[parseDrop, '3,x', '3,x'],
	[parseDrop, ',3', ',3'],
	[parseDrop, '3,,7', '3,,7'],
	[parseDrop, '', ''],
	[parseWidth, 'none', false],
	[parseWidth, '0.9', 0.9],
	[parseWidth, '.5', 0.5],
	[parseWidth, '8960', 8960],
	[parseWidth, '90%', '90%'],
	[parseNumber, '1e3', 1000],
	[parseNumber, '-1', -1],
	[parseNumber, '0x10', '0x10'],
	[parseNumber, '', ''],
	[parseNumber, 'Infinity', 'Infinity'],
	[parseVocabulary, 'none', false],
	[parseVocabulary, 'used', {select: 'used'}],
	[parseVocabulary, 'min-count:5', {select: 'min-count', minCount: 5}],
	[parseVocabulary, 'top:8000', {select: 'top', top: 8000}],
	[parseVocabulary, 'coverage:0.999', {select: 'coverage', coverage: 0.999}],
	[parseVocabulary, 'coverage:', {select: 'coverage', coverage: ''}],
	[parseVocabulary, 'used:5', {select: 'used:5'}],
];

for (const [parse, raw, value] of cases) {
	test(`${parse.name} reads ${JSON.stringify(raw)} as ${JSON.stringify(value)}`, t => {
		t.deepEqual(parse(raw), value);
	});
}
