// Prunes a checkpoint in one call, with progress and errors told.
//     node examples/prune.mjs [MODEL] [OUT]
import {join} from 'node:path';
import {FlabError, prune} from 'flab-pruner';

const [model = 'examples/tiny-coder', out = 'pruned'] = process.argv.slice(2);
const data = join(import.meta.dirname, 'tiny-coder/data');

try {
	const {plan, output, verification} = await prune({
		model,
		out,
		corpus: join(data, 'corpus.jsonl'), // decides which tokens stay
		calibration: {paths: [join(data, 'calibration.jsonl')], maxTexts: 32}, // decides which layers and neurons go
		evaluation: {paths: [join(data, 'heldout.jsonl')], maxTexts: 16}, // says what it costs
		layers: {drop: 2},
		ffn: {width: 0.8, strategy: 'wanda'},
	}, {onProgress: ({phase, done, total}) => process.stderr.write(`\r${phase} ${done}/${total}   `)});

	process.stderr.write('\n');
	for (const {name, parameters, divergence, lossPerByte} of plan.stages) {
		console.log(`${name}: ${parameters} parameters, KL ${divergence?.toFixed(3)} nats, loss ${lossPerByte?.toFixed(4)} nats per byte`);
	}

	console.log(`${output.bytes} bytes in ${out}; relative error of the logits ${verification?.relativeError}`);
} catch (error) {
	if (!(error instanceof FlabError)) {
		throw error;
	}

	console.error(`\n${error.code}: ${error.message}\n${error.hint ?? ''}`);
	process.exitCode = 1;
}
