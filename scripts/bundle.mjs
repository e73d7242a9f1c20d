#!/usr/bin/env node
// Makes dist/, which is packed, from build/ts, which tsc made: JavaScript with the packages in it that are nothing but JavaScript, their
// licences, and the headers that a build from source needs. As dependencies they would be 16 packages and 1,100 files more to install.

import {copyFileSync, mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {createRequire, isBuiltin} from 'node:module';
import {basename, join} from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {build} from 'esbuild';
import {licencesOf} from './licences.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
rmSync('dist', {recursive: true, force: true});
mkdirSync('dist/include', {recursive: true});

// What is opened by its name: by users, by `createRequire`, and the workers, which lie beside the code that starts them.
const entryPoints = {
	index: 'build/ts/index.js',
	'cli/main': 'build/ts/cli/main.js',
	'plan/plan': 'build/ts/plan/plan.js',
	'report/checked': 'build/ts/report/checked.js',
	// Beside index.js, which opens it: ts/kernels/options.ts is a part of that.
	optionSchemas: 'build/ts/kernels/optionSchemas.js',
	'chunks/cutworker': 'build/ts/tokenizer/cutworker.js',
	'chunks/hashworker': 'build/ts/checkpoint/hashworker.js',
};

// An ES module has no `require`, which CommonJS packages take Node's modules with.
const builtins = {
	name: 'builtins',
	setup({onResolve, onLoad}) {
		onResolve({filter: /^[\w:/]+$/}, ({kind, path}) => kind === 'require-call' && isBuiltin(path) ? {path, namespace: 'builtin'} : undefined);
		onLoad({filter: /./, namespace: 'builtin'}, ({path}) => ({contents: `module.exports = process.getBuiltinModule('${path}');`}));
	},
};

const {metafile} = await build({
	entryPoints,
	outdir: 'dist',
	chunkNames: 'chunks/[name]-[hash]',
	bundle: true,
	splitting: true,
	format: 'esm',
	platform: 'node',
	target: 'node20.19',
	external: Object.keys(createRequire(import.meta.url)('../package.json').dependencies),
	plugins: [builtins],
	charset: 'utf8',
	legalComments: 'none',
	metafile: true,
	logLevel: 'warning',
});

const headers = [
	...['napi.h', 'napi-inl.h', 'napi-inl.deprecated.h'].map(name => join('node_modules/node-addon-api', name)),
	...['js_native_api.h', 'js_native_api_types.h', 'node_api.h', 'node_api_types.h'].map(name => join('node_modules/node-api-headers/include', name)),
];
for (const header of headers) {
	copyFileSync(header, join('dist/include', basename(header)));
}

const used = Object.values(metafile.outputs).flatMap(({inputs}) => Object.keys(inputs).filter(name => inputs[name].bytesInOutput > 0));
writeFileSync('dist/THIRD_PARTY_LICENSES', licencesOf([...used, ...headers]));
