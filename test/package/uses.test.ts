// One installation of the tarball, used in the ways that programs use packages.

import {copyFile, cp, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import type {ExecutionContext} from 'ava';
import type {Plan} from '../../ts/index.js';
import {packageRoot} from '../../ts/native/root.js';
import {picoPlace} from '../e2e/checkpoints.js';
import {emptyFolder, onlyNode, run, succeed} from './processes.js';
import type {Ended} from './processes.js';
import {beginProject, install, use, used, works} from './project.js';
import {tool, worked} from './registry.js';
import {pack} from './tarball.js';
import type {Tarball} from './tarball.js';

let tarball: Tarball;
let folder: string;
let path: string;
let installation: Ended;

test.before(async () => {
	folder = await emptyFolder();
	path = await onlyNode();
	tarball = await pack(await emptyFolder());
	await beginProject(folder);
	installation = await install(folder, tarball.file, path);
});

const prints = async (t: ExecutionContext, file: string, program: string, expected = used): Promise<void> => {
	await writeFile(join(folder, file), program);
	t.deepEqual(await succeed(process.execPath, [file], {cwd: folder, path}), {code: 0, out: expected, errors: ''});
};

// the oldest one that is supported, and the newest of others
for (const version of ['20.19.0', '22.23.3', '24.9.0']) {
	test(`Node ${version}`, async t => {
		const node = await worked(t, installation) && await tool(t, `node-${process.platform}-${process.arch}`, version);
		if (node) {
			const program = join(node, 'bin/node');
			t.is((await succeed(program, ['--version'], {cwd: folder})).out.trim(), `v${version}`);
			await works(t, folder, tarball.version, await onlyNode({node: program}), program);
		}
	});
}

test('a CommonJS module that requires it', async t => {
	if (await worked(t, installation)) {
		await prints(t, 'use.cjs', `const flab = require('flab-pruner');\n(async () => {${use}})();`);
	}
});

test('worker threads, of which the first has ended', async t => {
	if (await worked(t, installation)) {
		await prints(t, 'workers.mjs', `
			import {once} from 'node:events';
			import {Worker} from 'node:worker_threads';
			for (const turn of [1, 2]) {
				const [code] = await once(new Worker(new URL('use.mjs', import.meta.url)), 'exit');
				if (code !== 0) process.exit(code);
			}`, used + used);
	}
});

test('two copies in one process', async t => {
	if (await worked(t, installation)) {
		await cp(join(folder, 'node_modules'), join(folder, 'other/node_modules'), {recursive: true});
		await writeFile(join(folder, 'other/package.json'), '{"type": "module"}');
		await writeFile(join(folder, 'other/use.mjs'), await readFile(join(folder, 'use.mjs')));
		await prints(t, 'copies.mjs', `
			await import('./use.mjs');
			await import('./other/use.mjs');
			const [a, b] = await Promise.all(['.', './other'].map(at => import(at + '/node_modules/flab-pruner/dist/index.js')));
			console.log(a.topK !== b.topK);`, `${used}${used}true\n`);
	}
});

test('texts in Parquet and CSV, worker threads and the progress display work from the bundled files', async t => {
	if (await worked(t, installation)) {
		const {root, model} = await picoPlace(t);
		const rows = 20_000; // more than a megabyte, from which on threads cut the texts
		const table = join(root, 'table.csv');
		await writeFile(table, `id,prompt\n${'1,"def add(a, b):\n    return a + b, ""sum"" # and what else there is"\n'.repeat(rows)}`);
		const parquet = ['snappy', 'gzip', 'zstd'].map(compression => join(packageRoot, 'test/calibration/parquet', `${compression}.parquet`));
		const planFile = join(root, 'plan.json');
		const {errors} = await succeed(process.execPath, [
			'--import', 'data:text/javascript,process.stderr.isTTY = true',
			join(folder, 'node_modules/flab-pruner/dist/cli/main.js'), 'plan', model, '--out', planFile, '--corpus', table, ...parquet, '--corpus-field', 'prompt',
		], {cwd: folder, path});
		const {data} = JSON.parse(await readFile(planFile, 'utf8')) as Plan;
		t.like(data.corpus, {files: 4, texts: rows + 6});
		t.regex(errors, /counting tokens {2}\[=+/);
	}
});

const bundle = async (t: ExecutionContext, program: string, out: string, flags: readonly string[]) => {
	const esbuild = join(packageRoot, 'node_modules/.bin/esbuild');
	return await worked(t, installation) ? run(esbuild, [program, '--bundle', '--platform=node', `--outfile=${out}`, ...flags], {cwd: folder}) : undefined;
};

test('esbuild, with the package external', async t => {
	const bundled = await bundle(t, 'use.mjs', 'bundled.mjs', ['--format=esm', '--external:flab-pruner']);
	if (bundled) {
		t.is(bundled.code, 0, bundled.errors);
		t.deepEqual(await succeed(process.execPath, ['bundled.mjs'], {cwd: folder, path}), {code: 0, out: used, errors: ''});
	}
});

const inside = `
import * as flab from 'flab-pruner';
const plan = {schemaVersion: 1};
const uses = {
	topK: () => flab.topK(Float32Array.of(1), 1),
	parsePlan: () => flab.parsePlan('{}', 'plan.json'),
	planToJson: () => flab.planToJson(plan),
	plan: () => flab.plan({model: 'model'}),
	prune: () => flab.prune({model: 'model', out: 'out'}),
	apply: () => flab.apply({model: 'model', plan, out: 'out'}),
	doctor: async () => (await flab.doctor()).problems.filter(({about}) => about === 'addon'),
};
const ended = Object.entries(uses).map(async ([name, use]) => [name, await (async () => use())().catch(({code, message, hint}) => ({code, message, hint}))]);
Promise.all(ended).then(entries => console.log(JSON.stringify(Object.fromEntries(entries))));
`;

for (const format of ['esm', 'cjs']) {
	test(`esbuild, with the package in the bundle (${format}): a sentence says to keep it out`, async t => {
		await writeFile(join(folder, `inside-${format}.mjs`), inside);
		const out = format === 'esm' ? 'inside.mjs' : 'inside.cjs';
		const bundled = await bundle(t, `inside-${format}.mjs`, out, [`--format=${format}`, '--loader:.node=copy']);
		if (bundled) {
			t.is(bundled.code, 0, bundled.errors);
			const place = await emptyFolder();
			await writeFile(join(place, 'package.json'), '{"name": "another"}');
			await copyFile(join(folder, out), join(place, out));
			const {out: printed} = await succeed(process.execPath, [join(place, out)], {cwd: place, path});
			const message = `flab-pruner was bundled into a file in ${place}, away from its native addon and its workers' files`;
			const hint = 'Keep the package out of the bundle (esbuild: --external:flab-pruner; webpack, rollup, vite: external: [\'flab-pruner\']) and install it beside the bundle.';
			const refusals = JSON.parse(printed) as Record<string, unknown>;
			for (const name of ['topK', 'parsePlan', 'planToJson', 'plan', 'prune', 'apply']) {
				t.deepEqual(refusals[name], {code: 'ERR_NATIVE_LOAD', message, hint}, name);
			}

			t.deepEqual(refusals['doctor'], [{about: 'addon', severity: 'error', message, remedy: hint}]);
		}
	});
}
