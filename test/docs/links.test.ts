import {existsSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import test from 'ava';
import {packageRoot} from '../../ts/native/root.js';
import {documents} from './documents.js';

// As GitHub makes them of a heading.
const anchorOf = (heading: string): string => heading.toLowerCase().replaceAll(/[^\p{Letter}\p{Number}\s_-]/gu, '').trim().replaceAll(/\s/g, '-');

const anchorsOf = async (path: string): Promise<ReadonlySet<string>> => {
	const text = await readFile(path, 'utf8');
	const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(match => anchorOf(match[1]!));
	return new Set([...headings, ...headings.map((name, place) => `${name}-${headings.slice(0, place).filter(other => other === name).length}`), ...[...text.matchAll(/<a id="([^"]+)">/g)].map(match => match[1]!)]);
};

// Those beside what users read. Their commands build and test everything: they are not run here, only looked at.
const others = ['HACKING.md', 'CHANGELOG.md', 'prebuilds/README.md'];

for (const name of [...documents(), ...others]) {
	test(`every link of ${name} leads somewhere`, async t => {
		const path = join(packageRoot, name);
		const prose = (await readFile(path, 'utf8')).replaceAll(/^```[^]*?^```$/gm, '');
		const targets = [...prose.matchAll(/\]\(([^()\s]+)\)/g)].map(match => match[1]!).filter(target => !/^https?:/.test(target));
		for (const target of targets) {
			const [file = '', anchor] = target.split('#');
			const linked = file === '' ? path : join(dirname(path), file);
			t.true(existsSync(linked), `${name}: ${target}: there is no such file`);
			if (anchor !== undefined) {
				t.true((await anchorsOf(linked)).has(anchor), `${name}: ${target}: there is no such heading`);
			}
		}

		t.pass();
	});
}

test('every file of the repository that a document names in code is there', async t => {
	for (const name of [...documents(), ...others]) {
		const prose = (await readFile(join(packageRoot, name), 'utf8')).replaceAll(/^```[^]*?^```$/gm, '');
		for (const [, path] of prose.matchAll(/`((?:ts|native|test|docs|examples|bench|\.github)\/[\w./-]*\w)`/g)) {
			t.true(existsSync(join(packageRoot, path!)), `${name}: ${path}: there is no such file`);
		}
	}
});

test('every script of the package and every file that a document runs is there', async t => {
	const {scripts} = JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8')) as {readonly scripts: Readonly<Record<string, string>>};
	const seen = new Set<string>();
	for (const name of [...documents(), ...others]) {
		const text = await readFile(join(packageRoot, name), 'utf8');
		for (const [, script] of text.matchAll(/\bnpm run ([a-z][\w:-]*)/g)) {
			seen.add(script!);
			t.true(script! in scripts, `${name}: npm run ${script}: there is no such script`);
		}

		for (const [, file] of text.matchAll(/\bnode ((?:native|scripts|bench|docs|test)\/[\w./-]+\.mjs)/g)) {
			t.true(existsSync(join(packageRoot, file!)), `${name}: node ${file}: there is no such file`);
		}
	}

	t.true(['build', 'prebuilds', 'test:arm64', 'generate'].every(script => seen.has(script)), 'the documents are read');
});
