// Decides and cuts in two steps: the plan is a file that can be read, reviewed and kept; `apply` does only what it says.
//     node examples/plan-and-apply.mjs [MODEL] [OUT]
import {readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {apply, parsePlan, plan, planToJson, reportToMarkdown} from 'flab-pruner';

const [model = 'examples/tiny-coder', out = 'pruned'] = process.argv.slice(2);
const calibration = join(import.meta.dirname, 'tiny-coder/data/calibration.jsonl');

const made = await plan({model, calibration, vocabulary: false, layers: {drop: 2, search: 'racing'}});
await writeFile('plan.json', planToJson(made));
await writeFile('plan.md', reportToMarkdown({plan: made}));
for (const {dropped, scores} of made.layers.steps) {
	const ranking = scores.toSorted((a, b) => a.score - b.score).map(({layer, score}) => `${layer}: ${score.toFixed(3)}`);
	console.log(`dropped layer ${dropped}; nats without each: ${ranking.slice(0, 4).join(', ')} ...`);
}

// A limit of one's own: what costs too much is not cut.
const {divergence} = made.stages.at(-1);
if (divergence > 0.5) {
	throw new Error(`${divergence} nats are too much; drop fewer layers`);
}

// Later, or on another machine with the same checkpoint. A plan for another one is refused (ERR_BAD_PLAN).
const reviewed = parsePlan(await readFile('plan.json', 'utf8'), 'plan.json');
const {output} = await apply({model, plan: reviewed, out, calibration});
console.log(`wrote ${Object.keys(output.files).length} files, ${output.parameters} parameters, to ${out}`);
