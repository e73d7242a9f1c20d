// Stops a long search: with Ctrl-C, or after a time. What was begun is cleaned up, and nothing half-written stays.
//     node examples/cancel.mjs [MODEL] [SECONDS]
import {join} from 'node:path';
import {FlabError, prune} from 'flab-pruner';

const [model = 'examples/tiny-coder', seconds = '60'] = process.argv.slice(2);
const stop = new AbortController();
process.once('SIGINT', () => stop.abort(new Error('Ctrl-C')));
setTimeout(() => stop.abort(new Error(`not done after ${seconds} s`)), Number(seconds) * 1000).unref();

try {
	await prune({
		model,
		out: 'pruned',
		calibration: join(import.meta.dirname, 'tiny-coder/data/calibration.jsonl'),
		layers: {drop: 6, positions: 'all'},
	}, {
		signal: stop.signal,
		onProgress: ({phase, done, total, detail = ''}) => process.stderr.write(`\r${phase} ${detail} ${total && Math.round(100 * done / total)} %   `),
	});
	console.log('pruned');
} catch (error) {
	if (!(error instanceof FlabError && error.code === 'ERR_ABORTED')) {
		throw error;
	}

	console.error(`\nstopped: ${error.cause.message}`);
	process.exitCode = 130;
}
