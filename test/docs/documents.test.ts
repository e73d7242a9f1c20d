// Everything that the documents tell a reader to type is typed here.

import {existsSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {packageRoot} from '../../ts/native/root.js';
import {documentBlocks, documents} from './documents.js';
import {runBlocks} from './run.js';
import {createSandbox} from './sandbox.js';
import {typeErrors} from './types.js';

test.before(t => {
	t.true(existsSync(join(packageRoot, 'dist/cli/main.js')), 'npm run build:ts makes it');
});

const names = documents();

for (const name of names) {
	test.serial(`every code block of ${name} does what it says`, async t => {
		const blocks = await documentBlocks(name);
		if (blocks.length === 0) {
			t.pass('it has none');
			return;
		}

		await runBlocks(t, blocks, await createSandbox(t));
	});
}

test.serial('the TypeScript of all documents has the right types', async t => {
	const blocks = (await Promise.all(names.map(async name => documentBlocks(name)))).flat().filter(({language}) => language === 'ts');
	t.true(blocks.length > 0);
	const {folder} = await createSandbox(t);
	t.deepEqual(await typeErrors(blocks, folder), []);
});
