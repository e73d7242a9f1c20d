// Prunes tiny checkpoints on this machine and on arm64, and compares what came out.

import {spawnSync} from 'node:child_process';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {tinyPlace} from '../../build/tests/test/e2e/checkpoints.js';
import {contents} from '../../build/tests/test/e2e/folders.js';

const models = ['qwen2-tied', 'llama-bf16-sharded', 'qwen3-untied-f16'];
// The plan holds measured numbers, whose last digits are the instruction set's; what it decides must be the same.
const planName = 'flab-pruner.json';
const tolerance = 1e-4;

const prune = (node, place, out, environment) => {
	const {status, stderr} = spawnSync(node, [
		'dist/cli/main.js', 'prune', place.model, '--out', out, '--corpus', place.corpus, '--calibration', place.calibration,
		'--vocab-multiple', '4', '--drop-layers', '1', '--positions', 'all', '--ffn-width', '23', '--ffn-multiple', '1', '--quiet',
	], {encoding: 'utf8', env: {...process.env, ...environment}});
	if (status !== 0) {
		throw new Error(`pruning into ${out} with ${node} ended with ${status}:\n${stderr}`);
	}
};

/** The largest relative difference of two numbers at the same place; infinite where anything else differs. */
const difference = (a, b) => {
	if (typeof a === 'number' && typeof b === 'number' && !(Number.isInteger(a) && Number.isInteger(b))) {
		return Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b));
	}

	if (typeof a === 'object' && typeof b === 'object' && a && b && String(Object.keys(a)) === String(Object.keys(b))) {
		return Math.max(0, ...Object.keys(a).map(key => difference(a[key], b[key])));
	}

	return a === b ? 0 : Number.POSITIVE_INFINITY;
};

const planOf = async folder => JSON.parse(await readFile(join(folder, planName), 'utf8'));

/** Tests by their titles; each returns what is wrong, if anything. */
export const byteTests = (node, environment) => models.map(model => [`${model}, pruned on arm64, has the bytes that come out here`, async t => {
	const place = await tinyPlace(t, model);
	const [here, there] = [join(place.root, 'here'), join(place.root, 'there')];
	prune(process.execPath, place, here, {});
	prune(node, place, there, environment);
	const [expected, got] = [await contents(here), await contents(there)];
	const differing = [...new Set([...Object.keys(expected), ...Object.keys(got)])].filter(name => name !== planName && expected[name] !== got[name]);
	if (differing.length > 0) {
		return `${differing.join(', ')} differ`;
	}

	const numbers = difference(await planOf(here), await planOf(there));
	console.log(`  ${model}: ${Object.keys(expected).length} files, numbers of the plan within ${numbers.toExponential(1)}`);
	return numbers <= tolerance ? undefined : `${planName} differs by ${numbers}`;
}]);
