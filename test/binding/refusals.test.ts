// What the addon refuses. The TypeScript around it checks most of this first; here nothing is in between, because a wrong
// index or offset that got through would read memory that is not there.

import {join} from 'node:path';
import test from 'ava';
import {readCheckpoint} from '../../ts/checkpoint/read.js';
import {layoutOf} from '../../ts/families/layout.js';
import {nativeModel} from '../../ts/families/nativeModel.js';
import type {KernelMatrix, MappedFile, ModelSpec, NativeModel, NativeTensor, PackedTexts, WritePiece} from '../../ts/native/contract.js';
import {mapFile} from '../../ts/native/jobs.js';
import {loadNative} from '../../ts/native/load.js';
import {modelsFolder, pack} from '../native/reference.js';
import {runChild} from './support.js';

const native = loadNative();
const whole: NativeModel = nativeModel(layoutOf(await readCheckpoint(join(modelsFolder, 'qwen2-tied'))), mapFile, 'f32');
const {spec} = whole; // 3 layers, D 24, F 35, H 4, K 2, E 6, V 97
const model = native.openModel(whole);
const {file} = whole.embedding;
const texts = pack([1, 2, 3]);

/** Values that TypeScript would not let pass. */
const wrong = <Value>(value: unknown): Value => value as Value;

type Refusal = readonly [what: string, call: () => unknown, message: RegExp];

const withSpec = (change: Partial<ModelSpec>) => () => native.openModel({...whole, spec: {...spec, ...change}});
const withEmbedding = (change: Partial<NativeTensor>) => () => native.openModel({...whole, embedding: {...whole.embedding, ...change}});
const withLayer = (change: object) => () => native.openModel({...whole, layers: [whole.layers[0]!, {...whole.layers[1]!, ...change}, whole.layers[2]!]});

const opening: readonly Refusal[] = [
	['no object', () => native.openModel(wrong(undefined)), /^input: expected an object$/],
	['no spec', () => native.openModel({...whole, spec: wrong(undefined)}), /^spec: expected an object$/],
	...(['layers', 'width', 'ffnWidth', 'queryHeads', 'kvHeads', 'headWidth', 'vocabulary'] as const).flatMap((name): Refusal[] => [
		[`a ${name} that is missing`, withSpec({[name]: undefined}), new RegExp(`^${name}: expected an integer of at least 0$`)],
		[`a negative ${name}`, withSpec({[name]: -1}), new RegExp(`^${name}: expected an integer of at least 0$`)],
		[`a ${name} of 1.5`, withSpec({[name]: 1.5}), new RegExp(`^${name}: expected an integer of at least 0$`)],
		[`a ${name} that is infinite`, withSpec({[name]: Number.POSITIVE_INFINITY}), new RegExp(`^${name}: expected an integer of at least 0$`)],
		[`a ${name} of 0`, withSpec({[name]: 0}), /^spec: expected (sizes of at least 1|an even head width)/],
	]),
	['a vocabulary past 32 bits', withSpec({vocabulary: 2 ** 32}), /^spec: expected sizes of at least 1$/],
	['an odd head width', withSpec({headWidth: 7}), /^spec: expected an even head width/],
	['query heads that the key/value heads do not divide', withSpec({kvHeads: 3}), /^spec: .* a whole number of query heads for each key\/value head$/],
	['an epsilon that is no number', withSpec({normEps: wrong('1e-6')}), /^normEps: expected a number$/],
	['frequencies for another head width', withSpec({inverseFrequencies: new Float32Array(4)}), /^inverseFrequencies: expected E \/ 2 values$/],
	['frequencies in doubles', withSpec({inverseFrequencies: wrong(new Float64Array(3))}), /^inverseFrequencies: expected a typed array/],
	['windows for fewer layers', withSpec({windows: new Int32Array(2)}), /^windows: expected a value for each layer$/],
	['fewer layers than the spec says', () => native.openModel({...whole, layers: whole.layers.slice(1)}), /^layers: expected 3$/],
	['an unknown way to compute', () => native.openModel({...whole, compute: wrong('f64')}), /^compute: expected f32 or bf16, got f64$/],
	['a missing weight', withLayer({down: undefined}), /^down: expected an object$/],
	['a weight without a file', withEmbedding({file: wrong({bytes: 1})}), /^file: expected a mapped file$/],
	['a weight of a mapped file made by hand', withEmbedding({file: wrong(new (file.constructor as new () => MappedFile)())}), /^file: expected an open mapped file$/],
	['a weight of an unknown dtype', withEmbedding({dtype: wrong('F64')}), /^dtype: expected F32, F16 or BF16, got F64$/],
	['a weight without a name', withEmbedding({name: wrong(undefined)}), /^name: expected a string$/],
	['a weight of another shape', withEmbedding({shape: [97, 23]}), /^model\.embed_tokens\.weight: expected 97 x 24 elements, got 2231$/],
	['a weight that ends past the end of its file', withEmbedding({begin: file.bytes - 10}), /^model\.embed_tokens\.weight: ends at byte \d+, the file has \d+$/],
	['a weight that begins past the end of its file', withEmbedding({begin: file.bytes + 1}), /^model\.embed_tokens\.weight: ends at byte/],
	['a weight that begins before its file', withEmbedding({begin: -8}), /^begin: expected an integer of at least 0$/],
	['a bias of another shape', withLayer({queryBias: {...whole.layers[1]!.queryBias!, shape: [23]}}), /: expected 24 x 1 elements, got 23$/],
];

const running = (change: object) => () => native.scoreLayers({model, view: {}, texts, positions: 'last', candidates: true, losses: false, ...change});
const withView = (view: object) => running({view});
const withTexts = (change: Partial<PackedTexts>) => running({texts: {...texts, ...change}});

const arguments_: readonly Refusal[] = [
	['no input', () => native.scoreLayers(wrong(undefined)), /^input: expected an object$/],
	['a model that is none', running({model: {}}), /^model: expected an opened model$/],
	['layers that do not exist', withView({layers: Uint32Array.of(0, 3)}), /^layers: expected ascending indices below 3$/],
	['layers that descend', withView({layers: Uint32Array.of(1, 0)}), /^layers: expected ascending indices below 3$/],
	['a layer twice', withView({layers: Uint32Array.of(1, 1)}), /^layers: expected ascending indices below 3$/],
	['layers as plain numbers', withView({layers: [0, 1]}), /^layers: expected a typed array of its kind$/],
	['no layers', withView({layers: new Uint32Array(0)}), /^view: expected at least one layer and one token$/],
	['tokens that do not exist', withView({tokens: Uint32Array.of(97)}), /^tokens: expected ascending indices below 97$/],
	['no tokens', withView({tokens: new Uint32Array(0)}), /^view: expected at least one layer and one token$/],
	['neurons for fewer layers', withView({neurons: [Uint32Array.of(0)]}), /^neurons: expected a list for each layer of the view$/],
	['neurons that do not exist', withView({layers: Uint32Array.of(1), neurons: [Uint32Array.of(35)]}), /^neurons: expected ascending indices below 35$/],
	['to score layers with neurons left out', withView({neurons: Array.from({length: 3}, () => Uint32Array.of(0))}), /^view: expected no neurons/],
	['no texts', running({texts: undefined}), /^texts: expected an object$/],
	['texts without a text', withTexts({ids: new Int32Array(0), offsets: Int32Array.of(0)}), /^offsets: expected at least one text, from 0 to the number of ids$/],
	['texts without offsets', withTexts({offsets: new Int32Array(0)}), /^offsets: expected at least one text/],
	['offsets that do not begin at 0', withTexts({offsets: Int32Array.of(1, 3)}), /^offsets: expected at least one text, from 0/],
	['offsets that end before the ids', withTexts({offsets: Int32Array.of(0, 2)}), /^offsets: .* to the number of ids$/],
	['offsets that end after the ids', withTexts({offsets: Int32Array.of(0, 4)}), /^offsets: .* to the number of ids$/],
	['offsets that descend', withTexts({offsets: Int32Array.of(0, 2, 1, 3)}), /^offsets: expected ascending offsets without empty texts$/],
	['an empty text', withTexts({offsets: Int32Array.of(0, 2, 2, 3)}), /^offsets: expected ascending offsets without empty texts$/],
	['an id past the vocabulary', withTexts({ids: Int32Array.of(1, 97, 3)}), /^ids: expected ids below 97, got 97$/],
	['a negative id', withTexts({ids: Int32Array.of(1, -1, 3)}), /^ids: expected ids below 97, got -1$/],
	['ids in another type', withTexts({ids: wrong(Float32Array.of(1, 2, 3))}), /^ids: expected a typed array of its kind$/],
	['unknown positions', running({positions: 'first'}), /^positions: expected last or all, got first$/],
	['an unknown metric', () => native.rankNeurons({model, view: {}, texts, metrics: [wrong('size')]}), /^metric: expected magnitude, activation, wanda or fluctuation, got size$/],
	['a candidate with layers that do not exist', () => native.measure({model, reference: {}, candidates: [{layers: Uint32Array.of(7)}], texts, positions: 'last', losses: false}), /^layers: expected ascending/],
	['models compared on different tokens', () => native.compare({a: {model, view: {}, texts}, b: {model, view: {tokens: Uint32Array.of(1)}, texts}}), /^compare: expected as many logits in a and b$/],
	['models compared on texts of different lengths', () => native.compare({a: {model, view: {}, texts}, b: {model, view: {}, texts: pack([1, 2])}}), /^compare: expected texts of the same lengths$/],
];

const piece: WritePiece = {file, begin: 0, rows: 10, columns: 10, itemBytes: 4};
const writing = (change: Partial<WritePiece>) => () => native.writeFiles([{path: '/nonexistent/never', header: new Uint8Array(0), pieces: [{...piece, ...change}]}]);

const writes: readonly Refusal[] = [
	['files that are no list', () => native.writeFiles(wrong({})), /^files: expected an array$/],
	['a file without a path', () => native.writeFiles([{path: wrong(undefined), header: new Uint8Array(0), pieces: []}]), /^path: expected a string$/],
	['a header that is no bytes', () => native.writeFiles([{path: 'x', header: wrong('{}'), pieces: []}]), /^header: expected a typed array of its kind$/],
	['a piece without a file', writing({file: wrong(undefined)}), /^file: expected a mapped file$/],
	['a piece past the end of its file', writing({rows: file.bytes, columns: 1, itemBytes: 2}), /^a piece of .*model\.safetensors ends past the end of the file$/],
	['a piece that begins past the end', writing({begin: file.bytes + 1}), /ends past the end of the file$/],
	['a piece whose bytes pass 64 bits', writing({rows: 2 ** 40, columns: 2 ** 40, itemBytes: 8}), /ends past the end of the file$|product/],
	['a negative begin', writing({begin: -1}), /^begin: expected an integer of at least 0$/],
	['rows to keep that do not exist', writing({keepRows: Uint32Array.of(10)}), /^keepRows: expected ascending indices below 10$/],
	['columns to keep that do not exist', writing({keepColumns: Uint32Array.of(3, 10)}), /^keepColumns: expected ascending indices below 10$/],
	['columns to keep that descend', writing({keepColumns: Uint32Array.of(3, 2)}), /^keepColumns: expected ascending indices below 10$/],
];

const floats = new Float32Array(6);
const matrix = (rows: number, columns: number, data = new Float32Array(rows * columns)): KernelMatrix => ({data, dtype: 'F32', rows, columns});

const kernels: readonly Refusal[] = [
	['rows to slice that do not exist', () => native.sliceRows(floats, 2, 3, Uint32Array.of(2), new Float32Array(3)), /^keep: expected ascending indices below 2$/],
	['columns to slice that do not exist', () => native.sliceColumns(floats, 2, 3, Uint32Array.of(3), new Float32Array(2)), /^keep: expected ascending indices below 3$/],
	['data of another size', () => native.sliceRows(floats, 3, 3, Uint32Array.of(0), new Float32Array(3)), /^data: expected rows x columns elements$/],
	['an out of another size', () => native.sliceRows(floats, 2, 3, Uint32Array.of(0), new Float32Array(4)), /^out: expected as many elements as are kept$/],
	['an out that overlaps the data', () => native.sliceRows(floats, 2, 3, Uint32Array.of(0), floats.subarray(3)), /^out: expected memory that does not overlap matrix$/],
	['data that is no typed array', () => native.sliceRows(wrong([1, 2]), 2, 1, Uint32Array.of(0), floats), /^data: expected a typed array$/],
	['divergences of different shapes', () => native.klDivergence(matrix(2, 3), matrix(3, 2)), /^klDivergence: expected two matrices of the same shape$/],
	['a matrix of another size', () => native.klDivergence(matrix(2, 3, floats.subarray(1)), matrix(2, 3)), /^data: expected 24 bytes, got 20$/],
	['a matrix of an unknown dtype', () => native.klDivergence({...matrix(2, 3), dtype: wrong('I8')}, matrix(2, 3)), /^dtype: expected F32, F16 or BF16, got I8$/],
	['more of the largest than there are', () => native.topK(matrix(2, 3), 4), /^count: expected 0 to 3$/],
	['scores of another size', () => native.topK(matrix(2, 2, floats), 1), /^data: expected 16 bytes, got 24$/],
	['doubles of another size', () => native.topK({...matrix(2, 2, floats), dtype: 'F64'}, 1), /^scores: expected rows x columns elements$/],
	['scores of an unknown dtype', () => native.topK({...matrix(2, 3), dtype: wrong('I32')}, 1), /^dtype: expected F32, F16 or BF16, got I32$/],
	['an out of doubles that is too short', () => native.klDivergence(matrix(2, 3), matrix(2, 3), new Float64Array(1)), /^out: expected a typed array of its kind and of 2 elements$/],
	['an out of another kind', () => native.topK(matrix(2, 3), 1, wrong(new Float32Array(2))), /^out: expected a typed array of its kind and of 2 elements$/],
	['an out of divergences that overlaps a matrix', () => {
		const buffer = new ArrayBuffer(24);
		return native.klDivergence(matrix(2, 3, new Float32Array(buffer)), matrix(2, 3), new Float64Array(buffer, 0, 2));
	}, /^out: expected memory that does not overlap p$/],
	['an out of scores that overlaps a matrix', () => {
		const buffer = new ArrayBuffer(24);
		return native.neuronScores({metric: 'wanda', activations: matrix(2, 3), down: matrix(2, 3, new Float32Array(buffer))}, new Float64Array(buffer));
	}, /^out: expected memory that does not overlap down$/],
	['elements of no bytes', () => native.sliceColumns(floats, 2, 3, Uint32Array.of(0), new Float32Array(2), 0), /^itemBytes: expected at least 1$/],
	['elements of more bytes than there are', () => native.sliceColumns(floats, 2, 3, Uint32Array.of(0), new Float32Array(2), 8), /^data: expected rows x columns elements$|^out: expected as many/],
	['to discard past the end of a file', () => file.discard(0, file.bytes + 1), /^discard: expected 0 <= begin <= end <= bytes of the file$/],
	['a view that ends past its file', () => file.view(0, file.bytes + 1), /^view: expected 0 <= begin <= end <= bytes of the file$/],
	['a view that ends before it begins', () => file.view(5, 4), /^view: expected 0 <= begin/],
	['a view that begins before its file', () => file.view(-1, 4), /^view: expected 0 <= begin/],
];

for (const [group, refusals] of Object.entries({opening, running: arguments_, writing: writes, kernels})) {
	for (const [what, call, message] of refusals) {
		test(`${group}: refuses ${what}`, t => {
			t.throws(call, {code: 'ERR_BAD_ARGUMENT', message});
		});
	}
}

// In a process of their own: each of these would pass a check in 64-bit arithmetic that wraps around, or reads what is
// not there. The sizes are the smallest that do.
const crashes: Readonly<Record<string, string>> = {
	'a matrix whose bytes come to 2^64': `native.klDivergence(...[0, 1].map(() => ({data: new Float32Array(0), dtype: 'F32', rows: 2 ** 12, columns: 2 ** 50})))`,
	'scores of 2^64 elements': `native.topK({data: new Float32Array(0), dtype: 'F32', rows: 2 ** 50, columns: 2 ** 12}, 0)`,
	'doubles of 2^64 bytes': `native.topK({data: new Float64Array(0), dtype: 'F64', rows: 2 ** 50, columns: 2 ** 11}, 0)`,
	'data to slice of 2^64 bytes': `native.sliceColumns(new Float64Array(0), 1, 2 ** 61, Uint32Array.of(5), new Float64Array(1))`,
	'a piece of 2^128 bytes': `native.writeFiles([{path: '/nonexistent/never', header: new Uint8Array(0), pieces: [{file, begin: 0, rows: 2 ** 52, columns: 2 ** 52, itemBytes: 2 ** 24, keepRows: Uint32Array.of(2 ** 30), keepColumns: Uint32Array.of(1)}]}])`,
	'scores of neurons that one matrix does not have': `native.neuronScores({metric: 'wanda', activations: matrix(1, 4e6), down: matrix(1, 2)})`,
	'scores by magnitude without all weights': `native.neuronScores({metric: 'magnitude', gate: matrix(4e6, 1)})`,
	'weights whose bytes come to 2^64': `native.openModel({
		spec: {layers: 1, width: 4096, ffnWidth: 1, queryHeads: 2 ** 30, kvHeads: 2 ** 30, headWidth: 2 ** 20, vocabulary: 1, normEps: 1, rotaryScale: 1, inverseFrequencies: new Float32Array(2 ** 19), windows: new Int32Array(1)},
		layers: [{inputNorm: weight(4096), query: weight(2 ** 50, 4096), key: weight(2 ** 50, 4096), value: weight(2 ** 50, 4096), output: weight(4096, 2 ** 50), ffnNorm: weight(4096), gate: weight(1, 4096), up: weight(1, 4096), down: weight(4096, 1)}],
		embedding: weight(1, 4096), head: weight(1, 4096), finalNorm: weight(4096), compute: 'f32',
	})`,
};
for (const [what, call] of Object.entries(crashes)) {
	test.serial(`refuses ${what}, without a crash`, async t => {
		const {code, signal, out, errors} = await runChild(`
			const native = (await import(loadUrl)).loadNative();
			const file = native.mapFile(reference.modelsFolder + '/qwen2-tied/model.safetensors');
			const matrix = (rows, columns) => ({data: new Float32Array(rows * columns), dtype: 'F32', rows, columns});
			const weight = (...shape) => ({file, begin: 0, dtype: 'F32', shape, name: 'weight'});
			try {
				await (${call}).promise;
				console.log('accepted');
			} catch (error) {
				console.log(error.code);
			}`);
		t.is(signal, null, errors);
		t.is(code, 0, errors);
		t.is(out, 'ERR_BAD_ARGUMENT');
	});
}

// Not what TypeScript would let pass; but an error without a code is reported as a defect of flab-pruner.
const shapeless: readonly Refusal[] = [
	['candidates that are no list', () => native.measure({model, reference: {}, candidates: wrong(undefined), texts, positions: 'last', losses: false}), /^candidates: expected an array$/],
	['metrics that are no list', () => native.rankNeurons({model, view: {}, texts, metrics: wrong('wanda')}), /^metrics: expected an array$/],
	['layers that are no list', () => native.openModel({...whole, layers: wrong({})}), /^layers: expected an array$/],
	['a shape that is no list', withEmbedding({shape: wrong({})}), /^shape: expected an array$/],
	['neurons that are no list', withView({neurons: {}}), /^neurons: expected an array$/],
	['pieces that are no list', () => native.writeFiles([{path: 'x', header: new Uint8Array(0), pieces: wrong({})}]), /^pieces: expected an array$/],
	['scores that are no matrix', () => native.topK(wrong(5), 1), /^scores: expected an object$/],
	['scores that are in no typed array', () => native.topK({data: wrong([1, 2]), dtype: 'F64', rows: 1, columns: 2}, 1), /^scores: expected a typed array$/],
];
for (const [what, call, message] of shapeless) {
	test(`refuses ${what}`, t => {
		t.throws(call, {code: 'ERR_BAD_ARGUMENT', message});
	});
}

test('scores that are not a number are refused by the job', async t => {
	await t.throwsAsync(native.topK({data: Float64Array.of(1, Number.NaN), dtype: 'F64', rows: 1, columns: 2}, 1).promise, {code: 'ERR_BAD_ARGUMENT', message: 'scores: expected numbers, got NaN in row 0'});
});

test('after all refusals the model still works', async t => {
	t.is((await native.logits({model, view: {}, texts, positions: 'last'}).promise).length, 97);
});
