// What can be known about the workflows without running them: they are YAML of the right shape, and what they call is there.

import {readdirSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {parseDocument} from 'yaml';
import {packageRoot} from '../../ts/native/root.js';

type Step = {readonly uses?: string; readonly run?: string; readonly env?: Readonly<Record<string, string>>};
type Job = {readonly 'runs-on'?: string; readonly needs?: string | readonly string[]; readonly permissions?: Readonly<Record<string, string>>; readonly steps?: readonly Step[]; readonly 'timeout-minutes'?: number};
type Workflow = {readonly on?: unknown; readonly permissions?: Readonly<Record<string, string>>; readonly jobs?: Readonly<Record<string, Job>>};

const folder = join(packageRoot, '.github/workflows');
const names = readdirSync(folder);

const read = async (name: string): Promise<Workflow> => {
	const document = parseDocument(await readFile(join(folder, name), 'utf8'), {strict: true, uniqueKeys: true});
	if (document.errors.length > 0) {
		throw new Error(`${name}: ${document.errors.map(({message}) => message).join('\n')}`);
	}

	return document.toJS() as Workflow;
};

const stepsOf = ({jobs = {}}: Workflow): readonly Step[] => Object.values(jobs).flatMap(({steps = []}) => steps);

for (const name of names) {
	test(`${name} has jobs that run somewhere, end, and need jobs that are there`, async t => {
		const {on, permissions, jobs = {}} = await read(name);
		t.truthy(on);
		t.deepEqual(permissions, {contents: 'read'});
		t.true(Object.keys(jobs).length > 0);
		for (const [job, {'runs-on': machine, needs = [], steps = [], 'timeout-minutes': minutes}] of Object.entries(jobs)) {
			t.truthy(machine, job);
			t.true(minutes! > 0, job);
			t.true(steps.length > 0, job);
			for (const needed of [needs].flat()) {
				t.true(needed in jobs, `${job} needs ${needed}`);
			}

			for (const step of steps) {
				t.is([step.uses, step.run].filter(Boolean).length, 1, `${job}: a step either uses or runs: ${JSON.stringify(step)}`);
			}
		}
	});

	test(`${name} names actions with their version, and npm scripts that the package has`, async t => {
		const steps = stepsOf(await read(name));
		for (const {uses} of steps) {
			t.regex(uses ?? 'a/b@v1', /^[\w-]+\/[\w-]+@(?:v\d+|[\da-f]{40})$/);
		}

		const {scripts} = JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8')) as {readonly scripts: Readonly<Record<string, string>>};
		for (const [call, script = 'test'] of steps.flatMap(({run = ''}) => [...run.matchAll(/npm (?:run (\S+)|test\b)/g)])) {
			t.true(script in scripts, call);
		}
	});
}

test('CI runs on every Node that the package supports', async t => {
	const {jobs} = await read('ci.yml') as {jobs: Record<string, {strategy?: {matrix: {node?: readonly number[]}}}>};
	const {engines} = JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8')) as {readonly engines: {readonly node: string}};
	t.deepEqual(jobs['test']!.strategy!.matrix.node!.map(String), [...engines.node.matchAll(/[\^=](\d+)/g)].map(match => match[1]!));
});

test('only the job that publishes has an identity, and it publishes with provenance what was built and tried', async t => {
	const {jobs = {}} = await read('release.yml');
	const withIdentity = Object.entries(jobs).filter(([, {permissions}]) => permissions?.['id-token'] === 'write').map(([name]) => name);
	t.deepEqual(withIdentity, ['publish']);
	t.deepEqual([jobs['publish']!.needs, jobs['try']!.needs], ['try', 'pack']);
	t.true(jobs['publish']!.steps!.some(({run = ''}) => /^npm publish .*\.tgz .*--provenance/.test(run)));
	const built = jobs['pack']!.steps!.map(({run}) => run);
	const order = ['npm run prebuilds', 'npm test', 'npm run test:arm64', 'npm pack', 'node scripts/tarball.mjs flab-pruner-*.tgz'];
	t.deepEqual(built.filter(run => order.includes(run!)), order);
});
