// A pool of worker threads that share out a checkpoint's layers. Each maps the files itself, so that no tensor crosses between threads;
// all of them together use one pool of native threads, capped by `FLAB_THREADS`.
//     node examples/worker-pool.mjs [MODEL] [WORKERS]
import {once} from 'node:events';
import {Worker, isMainThread, parentPort, workerData} from 'node:worker_threads';
import {inspect, neuronScores, openCheckpoint, topK} from 'flab-pruner';

const strongest = async (checkpoint, layer) => {
	const [gate, up, down] = ['gate', 'up', 'down'].map(name => checkpoint.tensor(`model.layers.${layer}.mlp.${name}_proj.weight`));
	const scores = await neuronScores({metric: 'magnitude', gate, up, down});
	return {layer, keep: await topK(scores, scores.length / 2)};
};

if (isMainThread) {
	const [model = 'examples/tiny-coder', workers = '2'] = process.argv.slice(2);
	const {layers} = await inspect({model});
	const waiting = Array.from({length: layers}, (_, layer) => layer);
	const results = [];
	await Promise.all(Array.from({length: Number(workers)}, async () => {
		const worker = new Worker(new URL(import.meta.url), {workerData: model});
		while (waiting.length > 0) {
			worker.postMessage(waiting.shift());
			const [result] = await once(worker, 'message'); // rejects if the worker fails
			results.push(result);
		}

		await worker.terminate();
	}));
	for (const {layer, keep} of results.toSorted((a, b) => a.layer - b.layer)) {
		console.log(`layer ${layer}: ${keep.length} neurons, the first ${keep.slice(0, 3)}`);
	}
} else {
	const checkpoint = await openCheckpoint(workerData);
	parentPort.on('message', async layer => parentPort.postMessage(await strongest(checkpoint, layer)));
}
