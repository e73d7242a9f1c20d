#!/usr/bin/env node
// Writes what is made from the zod schemas, after they were compiled: schemas/*.json for editors and other programs, and
// ts/plan/types.ts, the public types with their descriptions. `--check` writes nothing and fails where a file is out of date.
//
// The types are written here and not by json-schema-to-typescript, as that (16.0) has no `readonly`, makes `never[]` of tuples (prefixItems),
// four types of one that is used in four places (SampleSource, SampleSource1, ...), and leaves out defaults.

import {readFileSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import process from 'node:process';
import * as z from 'zod';
import {applyOptionsSchema, inspectOptionsSchema, planOptionsSchema, pruneOptionsSchema} from '../build/ts/plan/optionSchemas.js';
import {planSchema} from '../build/ts/plan/schema.js';
import {reportSchema} from '../build/ts/report/schema.js';

const root = fileURLToPath(new URL('..', import.meta.url));

const sources = [
	{file: 'plan-options', title: 'Options of plan()', schema: planOptionsSchema, io: 'input'},
	{file: 'prune-options', title: 'Options of prune()', schema: pruneOptionsSchema, io: 'input'},
	{file: 'apply-options', title: 'Options of apply()', schema: applyOptionsSchema, io: 'input'},
	{file: 'inspect-options', title: 'Options of inspect()', schema: inspectOptionsSchema, io: 'input'},
	{file: 'plan', title: 'Plan of flab-pruner', schema: planSchema, io: 'output'},
	{file: 'report', title: 'Report of flab-pruner', schema: reportSchema, io: 'output'},
].map(source => ({...source, json: z.toJSONSchema(source.schema, {io: source.io, unrepresentable: 'any'})}));

// ---- JSON schemas: without what only TypeScript can say ----

const isOnlyCode = schema => schema?.tsType !== undefined && schema.type === undefined;

const forJson = value => {
	if (Array.isArray(value)) {
		return value.filter(item => !isOnlyCode(item)).map(forJson);
	}

	if (typeof value !== 'object' || value === null) {
		return value;
	}

	const {tsName, tsDoc, tsType, ...schema} = value;
	const json = Object.fromEntries(Object.entries(schema).map(([key, member]) => [key, forJson(member)]));
	if (typeof json.description === 'string') {
		json.description = json.description.replaceAll('\n', ' ');
	}

	if (json.maximum === Number.MAX_SAFE_INTEGER) {
		delete json.maximum;
	}

	const names = Object.keys(json.properties ?? {});
	// Texts come from files, or they are in the document.
	return names.includes('paths') && names.includes('texts') ? {...json, oneOf: [{required: ['paths']}, {required: ['texts']}]} : json;
};

const schemaFile = ({title, json: {$schema, ...json}}) => `${JSON.stringify({$schema, title, description: json.tsDoc, ...forJson(json)}, undefined, '\t')}\n`;

// ---- TypeScript ----

const types = new Map();

const typeOf = (schema, indent, isNamed = false) => {
	if (schema.tsName !== undefined && !isNamed) {
		if (!types.has(schema.tsName)) {
			types.set(schema.tsName, '');
			types.set(schema.tsName, `/** ${schema.tsDoc} */\nexport type ${schema.tsName} = ${typeOf(schema, '', true)};\n`);
		}

		return schema.tsName;
	}

	if (schema.tsType !== undefined) {
		return schema.tsType;
	}

	if (schema.anyOf) {
		return schema.anyOf.map(form => typeOf(form, indent)).join(' | ');
	}

	if (schema.const !== undefined) {
		return literal(schema.const);
	}

	if (schema.enum) {
		return schema.enum.map(literal).join(' | ');
	}

	if (schema.prefixItems) {
		return `readonly [${schema.prefixItems.map(item => typeOf(item, indent)).join(', ')}]`;
	}

	if (schema.type === 'array') {
		const item = typeOf(schema.items, indent);
		return /^\w+(\[])*$/.test(item) ? `readonly ${item}[]` : `ReadonlyArray<${item}>`;
	}

	if (Array.isArray(schema.type)) {
		return schema.type.map(type => typeOf({...schema, type}, indent)).join(' | ');
	}

	return schema.type === 'object' ? objectType(schema, indent) : {integer: 'number'}[schema.type] ?? schema.type;
};

const literal = value => typeof value === 'string' ? `'${value}'` : String(value);

const comment = (text, indent) => {
	const lines = text.split('\n');
	return text === '' ? '' : lines.length === 1 ? `${indent}/** ${text} */\n` : `${indent}/**\n${lines.map(line => `${indent} * ${line}\n`).join('')}${indent} */\n`;
};

const objectType = ({properties, required = [], additionalProperties}, indent) => {
	if (!properties) {
		return `Readonly<Record<string, ${typeOf(additionalProperties, indent)}>>`;
	}

	const inner = `${indent}\t`;
	const members = Object.entries(properties).map(([name, member]) => {
		const lines = [member.description, ...member.default === undefined || required.includes(name) ? [] : [`Default: ${JSON.stringify(member.default).replaceAll('"', '\'')}.`]].filter(Boolean);
		return `${comment(lines.join(' '), inner)}${inner}readonly ${name}${required.includes(name) ? '' : '?'}: ${typeOf(member, inner)};`;
	});
	return `{\n${members.join('\n')}\n${indent}}`;
};

const typesFile = () => {
	for (const {json} of sources) {
		typeOf(json, '');
	}

	return `// Made from the schemas by \`npm run generate\`: change those.\n\nimport type {GivenTexts, RepeatableTexts, TextItem, TextStream} from './texts.js';\n\n${[...types.values()].join('\n')}`;
};

const files = new Map([...sources.map(source => [`schemas/${source.file}.json`, schemaFile(source)]), ['ts/plan/types.ts', typesFile()]]);
const isCurrent = ([name, text]) => {
	try {
		return readFileSync(`${root}/${name}`, 'utf8') === text;
	} catch {
		return false;
	}
};

const outdated = [...files].filter(file => !isCurrent(file));
if (process.argv.includes('--check')) {
	for (const [name] of outdated) {
		console.error(`${name}: not what the schemas give; npm run generate makes it again`);
	}

	process.exitCode = outdated.length > 0 ? 1 : 0;
} else {
	for (const [name, text] of outdated) {
		writeFileSync(`${root}/${name}`, text);
		console.log(name);
	}
}
