#!/usr/bin/env node
// Writes the references: api/README.md from the doc comments of what ts/index.ts exports, cli.md from the help texts.
//     npm run docs                       into docs/
//     node docs/generate.mjs FOLDER      elsewhere
import {writeFile} from 'node:fs/promises';
import {dirname, join, resolve} from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {apiReference} from './generate/api.mjs';
import {cliReference} from './generate/cli.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2] === undefined ? here : resolve(process.argv[2]);

process.chdir(dirname(here));
await apiReference(join(folder, 'api'));
await writeFile(join(folder, 'cli.md'), await cliReference());
