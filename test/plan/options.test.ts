import test from 'ava';
import {resolveApplyOptions, resolveInspectOptions, resolvePlanOptions, resolvePruneOptions} from '../../ts/plan/options.js';
import {checkControl} from '../../ts/progress.js';

const lines = (t: {throws: (run: () => unknown, expectation: object) => Error | undefined}, run: () => unknown): string[] =>
	t.throws(run, {code: 'ERR_BAD_ARGUMENT', name: 'FlabError'})!.message.split('\n');

const plan = (options: unknown) => resolvePlanOptions(options as never);

test('a corpus alone means that the used tokens are kept, nothing else is pruned', t => {
	t.deepEqual(plan({model: 'm', corpus: 'texts'}), {
		model: 'm', corpus: {paths: ['texts']}, vocabulary: {select: 'used', multipleOf: 64}, layers: false, ffn: false, compute: 'auto', device: 'auto',
	});
});

test('vocabulary: false wins over a corpus', t => {
	t.false(plan({model: 'm', corpus: 'texts', vocabulary: false, layers: {drop: [1]}}).vocabulary);
});

test('without a corpus the vocabulary stays, with calibration texts it can be pruned', t => {
	t.false(plan({model: 'm', calibration: 'texts', layers: {drop: 1}}).vocabulary);
	t.deepEqual(plan({model: 'm', calibration: 'texts', vocabulary: {}}).vocabulary, {select: 'used', multipleOf: 64});
});

test('texts are a path, a list of paths, or an object, and get the default limits', t => {
	for (const calibration of ['a', ['a'], {paths: ['a']}]) {
		t.deepEqual(plan({model: 'm', calibration, evaluation: calibration, layers: {drop: 1}}).calibration, {paths: ['a'], maxTexts: 128, maxTokens: 512});
	}

	const {evaluation} = plan({model: 'm', corpus: 'c', evaluation: {paths: ['a'], fields: ['text'], maxTexts: 5}});
	t.deepEqual(evaluation, {paths: ['a'], fields: ['text'], maxTexts: 5, maxTokens: 1024});
});

test('layers, ffn and output get their defaults', t => {
	const options = resolvePruneOptions({model: 'm', out: 'o', calibration: 'c', layers: {drop: 2}, ffn: {width: 0.5}});
	t.deepEqual(options.layers, {drop: 2, metric: 'kl', positions: 'last', search: 'greedy'});
	t.deepEqual(options.ffn, {width: 0.5, strategy: 'auto', multipleOf: 64, seed: 0, positions: 'last'});
	t.like(options, {out: 'o', force: false, maxShardBytes: 5_000_000_000, verify: true});
});

test('resolving twice changes nothing', t => {
	const once = resolvePruneOptions({model: 'm', out: 'o', corpus: 'c', calibration: ['d'], layers: {drop: 2}, ffn: {width: 128}});
	t.deepEqual(resolvePruneOptions(once as never), once);
});

test('everything that is wrong is said at once, a line each', t => {
	t.deepEqual(lines(t, () => resolvePruneOptions({
		model: '', corpus: [], calibration: {maxTexts: 0}, evaluation: 7, vocabulary: {select: 'most'}, layers: {drop: 0, metric: 'x'},
		ffn: {width: 1.5, seed: -1.5}, compute: 'f64', threads: 0, maxMemory: 0.5, out: 3, force: 1, maxShardBytes: 0, verify: 'no', modle: 'm',
	} as never)), [
		'model: expected the folder of a checkpoint, got ""',
		'corpus: expected a list of at least one path, got []',
		'calibration.maxTexts: expected a whole number of at least 1, got 0',
		'calibration.paths: expected a list of at least one path, got undefined',
		'evaluation: expected a path, a list of paths, an object with paths or texts, or an iterable of texts, got 7',
		'vocabulary.select: expected one of used, min-count, top, coverage, got "most"',
		'layers.drop: expected a number of layers of at least 1, or a list of layer indices, got 0',
		'layers.metric: expected one of kl, bi, bi-last, angular, perplexity, got "x"',
		'ffn.width: expected a whole number of neurons of at least 1, or a share above 0 and below 1, got 1.5',
		'ffn.seed: expected a whole number of at least 0, got -1.5',
		'compute: expected one of auto, f32, bf16, got "f64"',
		'threads: expected a whole number of at least 1, got 0',
		'maxMemory: expected a whole number of at least 1, got 0.5',
		'out: expected a folder to write, got 3',
		'force: expected true or false, got 1',
		'maxShardBytes: expected a whole number of at least 1, got 0',
		'verify: expected true or false, got "no"',
		'modle: expected no such name, got "m"',
	]);
});

const base = {model: 'm', corpus: 'c', calibration: 'd'};
const complaints: readonly (readonly [what: string, options: unknown, line: string])[] = [
	['no options', undefined, 'options: expected an object with model, got undefined'],
	['an empty path', {...base, corpus: ['']}, 'corpus.0: expected a path, got ""'],
	['a path that is a number', {...base, corpus: {paths: ['a', 3]}}, 'corpus.paths.1: expected a path, got 3'],
	['an empty list of fields', {...base, corpus: {paths: ['a'], fields: []}}, 'corpus.fields: expected a list of at least one field name, got []'],
	['an unknown format', {...base, corpus: {paths: ['a'], format: 'xml'}}, 'corpus.format: expected one of auto, jsonl, csv, parquet, text, got "xml"'],
	['an empty list of extensions', {...base, corpus: {paths: ['a'], extensions: []}}, 'corpus.extensions: expected a list of at least one file extension, got []'],
	['limits on a corpus', {...base, corpus: {paths: ['a'], maxTexts: 3}}, 'corpus.maxTexts: expected no such name, got 3'],
	['half a token', {...base, evaluation: {paths: ['a'], maxTokens: 0.5}}, 'evaluation.maxTokens: expected a whole number of at least 1, got 0.5'],
	['vocabulary: true', {...base, vocabulary: true}, 'vocabulary: expected false or an object with select, got true'],
	['min-count without a number', {...base, vocabulary: {select: 'min-count'}}, 'vocabulary.minCount: expected a number, which the selection \'min-count\' needs, got undefined'],
	['top without a number', {...base, vocabulary: {select: 'top'}}, 'vocabulary.top: expected a number, which the selection \'top\' needs, got undefined'],
	['coverage without a number', {...base, vocabulary: {select: 'coverage'}}, 'vocabulary.coverage: expected a number, which the selection \'coverage\' needs, got undefined'],
	['a number that the selection does not take', {...base, vocabulary: {select: 'used', top: 5}}, 'vocabulary.top: expected no number: only the selection \'top\' takes one, got 5'],
	['a coverage of 0', {...base, vocabulary: {select: 'coverage', coverage: 0}}, 'vocabulary.coverage: expected a share above 0 and at most 1, got 0'],
	['a coverage above 1', {...base, vocabulary: {select: 'coverage', coverage: 1.01}}, 'vocabulary.coverage: expected a share above 0 and at most 1, got 1.01'],
	['a multiple of 0', {...base, vocabulary: {multipleOf: 0}}, 'vocabulary.multipleOf: expected a whole number of at least 1, got 0'],
	['a vocabulary without texts', {model: 'm', vocabulary: {select: 'used'}}, 'corpus: expected texts that the vocabulary is counted on, got undefined'],
	['layers: true', {...base, layers: true}, 'layers: expected false or an object with drop, got true'],
	['layers without drop', {...base, layers: {}}, 'layers.drop: expected a number of layers of at least 1, or a list of layer indices, got undefined'],
	['an empty list of layers', {...base, layers: {drop: []}}, 'layers.drop: expected a number of layers of at least 1, or a list of layer indices, got []'],
	['a layer of -1', {...base, layers: {drop: [1, -1]}}, 'layers.drop.1: expected a layer index from 0, got -1'],
	['unknown positions', {...base, layers: {drop: 1, positions: 'first'}}, 'layers.positions: expected one of last, all, got "first"'],
	['an unknown search', {...base, layers: {drop: 1, search: 'beam'}}, 'layers.search: expected one of greedy, one-shot, racing, got "beam"'],
	['a race by another metric', {...base, layers: {drop: 1, search: 'racing', metric: 'bi'}}, 'layers.metric: expected kl, the metric that the search \'racing\' needs, got "bi"'],
	['layers to score without texts', {model: 'm', layers: {drop: 1}}, 'calibration: expected texts that layers are scored on, got undefined'],
	['a width of 0', {...base, ffn: {width: 0}}, 'ffn.width: expected a whole number of neurons of at least 1, or a share above 0 and below 1, got 0'],
	['a width that is not a number', {...base, ffn: {width: Number.NaN}}, 'ffn.width: expected a whole number of neurons of at least 1, or a share above 0 and below 1, got NaN'],
	['an infinite width', {...base, ffn: {width: Infinity}}, 'ffn.width: expected a whole number of neurons of at least 1, or a share above 0 and below 1, got Infinity'],
	['an unknown strategy', {...base, ffn: {width: 0.5, strategy: 'best'}}, 'ffn.strategy: expected one of top, bottom, middle, random, magnitude, activation, wanda, fluctuation, auto, got "best"'],
	['auto without texts', {model: 'm', ffn: {width: 0.5}}, 'calibration: expected texts that the strategy \'auto\' scores neurons on, got undefined'],
	['a seed that is not exact', {...base, ffn: {width: 0.5, seed: 2 ** 60}}, `ffn.seed: expected a whole number of at least 0, got ${2 ** 60}`],
	['a wrong field and a broken rule together', {model: 'm', compute: 'x', layers: {drop: 1}}, 'compute: expected one of auto, f32, bf16, got "x"\ncalibration: expected texts that layers are scored on, got undefined'],
	['nothing to prune', {model: 'm', calibration: 'c'}, 'options: expected something to prune: a corpus or vocabulary, layers, or ffn, got none of them'],
];

for (const [what, options, line] of complaints) {
	test(`refuses ${what}`, t => {
		t.deepEqual(lines(t, () => plan(options)), line.split('\n'));
	});
}

for (const options of [{layers: {drop: [1]}}, {ffn: {width: 64, strategy: 'top'}}, {ffn: {width: 64, strategy: 'magnitude'}}]) {
	test(`needs no calibration texts for ${JSON.stringify(options)}`, t => {
		t.notThrows(() => plan({model: 'm', ...options}));
	});
}

test('a race is by the divergence, said or not', t => {
	t.like(plan({...base, layers: {drop: 1, search: 'racing'}}).layers, {search: 'racing', metric: 'kl'});
	t.notThrows(() => plan({...base, layers: {drop: 1, search: 'racing', metric: 'kl'}}));
});

test('apply takes a plan or the path of one', t => {
	t.is(resolveApplyOptions({model: 'm', plan: 'p.json', out: 'o', maxMemory: 5e9}).maxMemory, 5e9);
	t.is(resolveApplyOptions({model: 'm', plan: 'p.json', out: 'o'}).plan, 'p.json');
	const value = {schemaVersion: 1} as never;
	t.is(resolveApplyOptions({model: 'm', plan: value, out: 'o'}).plan, value);
	t.deepEqual(lines(t, () => resolveApplyOptions({model: 'm', plan: 5, out: 'o'} as never)), ['plan: expected a plan or the path of a plan file, got 5']);
});

test('inspect takes a model and nothing else', t => {
	t.deepEqual(resolveInspectOptions({model: 'm'}), {model: 'm'});
	t.deepEqual(lines(t, () => resolveInspectOptions({out: 'o'} as never)), ['model: expected the folder of a checkpoint, got undefined', 'out: expected no such name, got "o"']);
});

test('signal and onProgress must be what they are called', t => {
	t.notThrows(() => checkControl({signal: new AbortController().signal, onProgress() {}}));
	t.throws(() => checkControl({signal: {} as never}), {code: 'ERR_BAD_ARGUMENT', message: 'signal: expected an AbortSignal, got an Object'});
	t.throws(() => checkControl({onProgress: 1 as never}), {code: 'ERR_BAD_ARGUMENT', message: 'onProgress: expected a function, got 1'});
});

test('texts are given as a function, an iterable, or in an object with limits', t => {
	const make = () => ['a'];
	const stream = (async function * () {
		yield 'a';
	})();
	const {corpus, calibration, evaluation} = plan({model: 'm', corpus: make, calibration: stream, evaluation: {texts: ['a'], maxTexts: 3}});
	t.deepEqual(corpus, {paths: [], texts: make});
	t.deepEqual(calibration, {paths: [], texts: stream, maxTexts: 128, maxTokens: 512});
	t.deepEqual(evaluation, {paths: [], texts: ['a'], maxTexts: 3, maxTokens: 1024});
});

test('a corpus that can be read once only is refused, as are files beside texts', t => {
	const stream = (async function * () {
		yield 'a';
	})();
	t.deepEqual(lines(t, () => plan({model: 'm', corpus: stream})), [
		'corpus: expected a path, a list of paths, an object with paths or texts, or a function that gives texts (an iterable by itself can be read once only), got an AsyncGenerator',
	]);
	t.deepEqual(lines(t, () => plan({model: 'm', corpus: {texts: stream}})), [
		'corpus.texts: expected a list of texts, or a function that makes them: they are read more than once, got an AsyncGenerator',
	]);
	t.deepEqual(lines(t, () => plan({model: 'm', corpus: {texts: ['a'], paths: ['b'], fields: ['c']}})), [
		'corpus.paths: expected no such name beside texts, which come from no file, got ["b"]',
		'corpus.fields: expected no such name beside texts, which come from no file, got ["c"]',
	]);
});

test('a device is auto, cpu, or a GPU with or without its number', t => {
	for (const device of ['auto', 'cpu', 'cuda', 'cuda:0', 'cuda:15']) {
		t.is(plan({model: 'm', corpus: 'texts', device}).device, device);
	}

	for (const device of ['gpu', 'cuda:', 'cuda:x', 'cuda:-1', 'CUDA']) {
		t.throws(() => plan({model: 'm', corpus: 'texts', device}), {code: 'ERR_BAD_ARGUMENT', message: `device: expected auto, cpu, cuda or cuda:N, N being the number of a device, got "${device}"`});
	}
});
