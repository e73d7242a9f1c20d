// The descriptions of the tiny checkpoints, which the C++ tests of a model on a device read, may not fall behind the checkpoints.
import {readFile, writeFile} from 'node:fs/promises';
import process from 'node:process';
import test from 'ava';
import {describeModel, descriptionPath} from '../fixtures/descriptions.js';
import {modelNames} from '../native/reference.js';

for (const name of modelNames) {
	test(`${name}: its description is that of the checkpoint and of transformers' numbers`, async t => {
		const description = await describeModel(name);
		if (process.env['UPDATE_DESCRIPTIONS'] === '1') {
			await writeFile(descriptionPath(name), description);
		}

		t.is(await readFile(descriptionPath(name), 'utf8'), description, 'If the checkpoint was meant to change: UPDATE_DESCRIPTIONS=1 npx ava test/device/descriptions.test.ts');
	});
}
