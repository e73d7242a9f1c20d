// Compiled, not run: a program that uses the package as installed. Lines that must not compile say so.

import {
	FlabError, apply, doctor, errorCodes, inspect, klDivergence, neuronScores, openCheckpoint, parsePlan, plan, planToJson, prune, reportToHtml, reportToJson,
	reportToMarkdown, sliceColumns, sliceRows, topK,
} from 'flab-pruner';
import type {
	Checkpoint, Control, Diagnosis, FlabErrorCode, GivenTexts, Inspection, MappedTensor, Matrix, Plan, PlanOptions, ProgressEvent, ProgressPhase, PruneOptions, Report, Run, Stage,
	TextItem,
} from 'flab-pruner';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
const same = <A, B>(equal: Equal<A, B>): void => void equal;

// ---- Runs ----

const run = prune({model: 'm', out: 'o', corpus: './src', calibration: ['a', 'b'], layers: {drop: 4}, ffn: {width: 0.9}}, {onProgress: ({phase}) => same<typeof phase, ProgressPhase>(true)});
same<typeof run, Run<Report>>(true);
for await (const event of run) {
	same<typeof event, ProgressEvent>(true);
}

const report = await run;
same<typeof report.plan, Plan>(true);
same<Plan['stages'][number], Stage>(true);
report.verification?.relativeError satisfies number | undefined;
same<Awaited<ReturnType<typeof plan>>, Plan>(true);
same<Awaited<ReturnType<typeof inspect>>, Inspection>(true);
same<Awaited<ReturnType<typeof doctor>>, Diagnosis>(true);
const applied: Run<Report> = apply({model: 'm', plan: report.plan, out: 'o'}, {signal: new AbortController().signal} satisfies Control);
planToJson(parsePlan('{}', 'plan.json')) satisfies string;
[reportToJson(await applied), reportToMarkdown({plan: report.plan}), reportToHtml(report)] satisfies string[];

// Lists may be readonly; texts may be given.
const texts: AsyncIterable<TextItem> = (async function * () {
	yield {text: 'a'};
})();
const given: GivenTexts = async () => ['a', {text: 'b'}];
({model: 'm', corpus: {paths: ['a'] as const, extensions: ['.py'] as const}, calibration: texts, evaluation: {texts: given, maxTexts: 3}}) satisfies PlanOptions;
({model: 'm', corpus: () => texts, calibration: {texts: new Set(['a'])}}) satisfies PlanOptions;

// @ts-expect-error: an iterable by itself can be read once only, a corpus is read twice
({model: 'm', corpus: texts}) satisfies PlanOptions;
// @ts-expect-error: no folder to write
({model: 'm'}) satisfies PruneOptions;
// @ts-expect-error: a name that does not exist
({model: 'm', out: 'o', layres: {drop: 1}}) satisfies PruneOptions;
// @ts-expect-error: no such metric
({model: 'm', layers: {drop: 1, metric: 'entropy'}}) satisfies PlanOptions;
// @ts-expect-error: a report is not written to
report.peakBytes = 0;

// ---- Kernels ----

const logits = {data: new Float32Array(4), shape: [2, 2]};
same<Awaited<ReturnType<typeof klDivergence>>, Float64Array>(true);
await klDivergence(logits, {data: Buffer.alloc(8), dtype: 'BF16', shape: [2, 2]}, {out: new Float64Array(new SharedArrayBuffer(16)), threads: 1});
// @ts-expect-error: divergences are doubles
await klDivergence(logits, logits, {out: new Float32Array(2)});
const sliced = await sliceRows(logits, [0], {out: new Float32Array(2)});
same<typeof sliced, Matrix<Float32Array<ArrayBuffer>>>(true);
same<Awaited<ReturnType<typeof sliceColumns<Float32Array>>>, Matrix<Float32Array>>(true);
(await sliceColumns(logits, [0], {out: Buffer.alloc(8)})).data satisfies Float32Array;
// @ts-expect-error: of the same kind as the matrix
await sliceColumns(logits, [0], {out: new Uint16Array(2)});
(await topK(new Float64Array(3), 1)) satisfies Uint32Array;
(await topK({data: Buffer.alloc(8), dtype: 'F16', shape: [2, 2]}, 1, {out: Buffer.alloc(8)})) satisfies Uint32Array;
// @ts-expect-error: no such option
await topK(new Float64Array(3), 1, {ot: new Uint32Array(1)});
await neuronScores({metric: 'activation', activations: logits});
// @ts-expect-error: no such metric
await neuronScores({metric: 'size'});

await using checkpoint = await openCheckpoint('m');
same<typeof checkpoint, Checkpoint>(true);
{
	using tensor = checkpoint.tensor('a');
	same<typeof tensor, MappedTensor>(true);
	await sliceRows(tensor, Uint32Array.of(1));
}

// ---- Errors ----

try {
	await run;
} catch (error) {
	if (error instanceof FlabError) {
		same<typeof error.code, FlabErrorCode>(true);
		[error.file, error.tensor, error.hint] satisfies Array<string | undefined>;
		errorCodes.includes(error.code) satisfies boolean;
		// @ts-expect-error: no such code
		error.code === 'ENOENT';
	}
}
