// The package as it is published: what its types say to compilers, what its fields say to tools.

import {execFile} from 'node:child_process';
import {copyFile, mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import process from 'node:process';
import {promisify} from 'node:util';
import {checkPackage, createPackageFromTarballData} from '@arethetypeswrong/core';
import test from 'ava';
import {publint} from 'publint';
import {formatMessage} from 'publint/utils';
import {packageRoot} from '../../ts/native/root.js';

const exec = promisify(execFile);

// Within the checkout, so that the package finds its dependencies as an installed one does.
await mkdir(join(packageRoot, 'build'), {recursive: true});
const folder = await mkdtemp(join(packageRoot, 'build', 'package-'));
const installed = join(folder, 'node_modules/flab-pruner');
const tarball = join(folder, 'flab-pruner.tgz');
test.after.always(async () => rm(folder, {recursive: true}));

test.before(async () => {
	const {stdout} = await exec('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {cwd: packageRoot, maxBuffer: 1 << 26});
	const [{filename}] = JSON.parse(stdout) as [{filename: string}];
	await copyFile(join(folder, filename), tarball);
	await mkdir(installed, {recursive: true});
	await exec('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
});

test('publint has nothing to say', async t => {
	const {messages, pkg} = await publint({pkgDir: installed, strict: true, pack: false});
	t.deepEqual(messages.map(message => formatMessage(message, pkg)), []);
});

test('the types are right for every way to resolve them', async t => {
	const result = await checkPackage(createPackageFromTarballData(new Uint8Array(await readFile(tarball))));
	t.truthy(result.types);
	const problems = result.types === false ? [] : result.problems;
	// require() of an ES module works in every Node that the package supports, and TypeScript knows it (module: nodenext).
	t.deepEqual(problems.filter(({kind}) => kind !== 'CJSResolvesToESM'), []);
});

const compilers: ReadonlyArray<readonly [name: string, file: string, options: Readonly<Record<string, unknown>>]> = [
	['an ES module (nodenext)', 'types.mts', {module: 'nodenext'}],
	['a CommonJS module that uses require (nodenext)', 'types.cts', {module: 'nodenext'}],
	['a bundled program', 'types.mts', {module: 'esnext', moduleResolution: 'bundler'}],
];
for (const [name, file, options] of compilers) {
	test(`the types hold in ${name}, checked themselves too`, async t => {
		const project = await mkdtemp(join(folder, 'project-'));
		const source = await readFile(join(packageRoot, 'test/api/consumer/types.mts'), 'utf8');
		// What a CommonJS module can't have: await at its top.
		const body = file.endsWith('.cts') ? source.replaceAll(/^(import[^;]*;\n+)+/gm, imports => `${imports}(async () => {\n`).concat('})();\n') : source;
		await writeFile(join(project, file), body);
		const compilerOptions = {target: 'es2022', lib: ['es2023', 'esnext.disposable'], types: ['node'], strict: true, noEmit: true, skipLibCheck: false, ...options};
		await writeFile(join(project, 'tsconfig.json'), JSON.stringify({compilerOptions, files: [file]}));
		const compiler = exec(process.execPath, [join(packageRoot, 'node_modules/typescript/lib/tsc.js'), '-p', project]);
		await t.notThrowsAsync(compiler.catch((error: {stdout: string}) => {
			throw new Error(error.stdout);
		}));
	});
}

test('import and require() give the same functions, and those that are declared', async t => {
	const program = `
		import {createRequire} from 'node:module';
		const required = createRequire(import.meta.url)('flab-pruner');
		const imported = await import('flab-pruner');
		console.log(JSON.stringify(Object.keys(imported).filter(name => required[name] === imported[name])));`;
	await writeFile(join(folder, 'both.mjs'), program);
	const {stdout, stderr} = await exec(process.execPath, [join(folder, 'both.mjs')]);
	t.is(stderr, '');
	const surface = await readFile(join(packageRoot, 'test/api/surface.d.ts'), 'utf8');
	const declared = [...surface.matchAll(/^export declare (?:const|class) (\w+)/gm)].map(match => match[1]!);
	t.deepEqual((JSON.parse(stdout) as string[]).sort(), declared.sort());
});

test('what is made from the schemas is up to date, and the public surface is the reviewed one', async t => {
	const run = exec(process.execPath, [join(packageRoot, 'scripts/generate.mjs'), '--check']);
	await t.notThrowsAsync(run.catch((error: {stderr: string}) => {
		throw new Error(error.stderr);
	}));
	const [surface, reviewed] = await Promise.all([join(installed, 'dist/index.d.ts'), join(packageRoot, 'test/api/surface.d.ts')].map(async file => readFile(file, 'utf8')));
	t.is(surface, reviewed, 'If that is meant: npm run generate, and review test/api/surface.d.ts');
});

test('the schemas are in the package, under their names', async t => {
	for (const name of ['plan', 'report', 'prune-options', 'plan-options', 'apply-options', 'inspect-options']) {
		const {stdout} = await exec(process.execPath, ['-p', `JSON.parse(fs.readFileSync(require.resolve('flab-pruner/schemas/${name}.json'))).title`], {cwd: folder});
		t.true(stdout.trim().length > 0);
	}
});
