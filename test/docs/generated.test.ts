// The references are files of the repository, so that they are read where the code is read. They may not fall behind it.

import {execFile} from 'node:child_process';
import {readFile, readdir} from 'node:fs/promises';
import {join} from 'node:path';
import process from 'node:process';
import {promisify} from 'node:util';
import test from 'ava';
import {packageRoot} from '../../ts/native/root.js';
import * as api from '../../ts/index.js';
import {temporaryFolder} from '../fixtures/pico.js';

const run = promisify(execFile);

test('docs/api and docs/cli.md are what `npm run docs` writes', async t => {
	const folder = await temporaryFolder(t);
	await run(process.execPath, [join(packageRoot, 'docs/generate.mjs'), folder]);
	const made = (await readdir(folder, {recursive: true})).filter(name => name.endsWith('.md'));
	t.deepEqual(made.toSorted(), ['api/README.md', 'cli.md']);
	for (const name of made) {
		const [current, fresh] = await Promise.all([join(packageRoot, 'docs', name), join(folder, name)].map(async path => readFile(path, 'utf8')));
		t.true(current === fresh, `docs/${name} is not current: npm run docs`);
	}
});

test('the reference has every function, class and constant that the package exports, each with a description', async t => {
	const reference = await readFile(join(packageRoot, 'docs/api/README.md'), 'utf8');
	for (const name of Object.keys(api)) {
		const [, section] = reference.split(new RegExp(`^### ${name}(?:\\(\\))?$`, 'm'));
		t.truthy(section, `${name}: expected a section`);
		const paragraphs = section!.split(/^\*\*\*$/m)[0]!.split('\n\n').filter(text => /^[A-Z]/.test(text.trim()));
		t.true(paragraphs.length > 0, `${name}: expected a description`);
	}
});

test('the reference of the command line has every command of the help', async t => {
	const {stdout} = await run(process.execPath, [join(packageRoot, 'dist/cli/main.js'), '--help']);
	const [, list] = /Commands:\n([^]*?)\n\n/.exec(stdout)!;
	const commands = [...list!.matchAll(/^ {2}([a-z]\S*)/gm)].map(match => match[1]!).filter(name => name !== 'help');
	t.true(commands.length >= 4);
	const reference = await readFile(join(packageRoot, 'docs/cli.md'), 'utf8');
	for (const command of commands) {
		t.true(reference.includes(`\n## flab-pruner ${command}\n`), command);
	}
});
