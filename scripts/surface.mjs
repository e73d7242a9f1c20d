#!/usr/bin/env node
// Writes test/api/surface.d.ts: everything that the package exports, as its declarations say, and the types that these speak of.
// A change of the public surface is a change of this file, to be reviewed. `--check` prints the difference and fails if there is one.

import {readFileSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import process from 'node:process';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const entry = `${root}dist/index.d.ts`;
const target = `${root}test/api/surface.d.ts`;

const program = ts.createProgram([entry], {module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, target: ts.ScriptTarget.ES2022, lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'], types: ['node'], strict: true});
const checker = program.getTypeChecker();
const resolved = symbol => symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
const isOwn = node => node.getSourceFile().fileName.startsWith(`${root}dist/`);

const exported = new Map(checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry))).map(symbol => [resolved(symbol), symbol.name]));

/** Own types that a declaration names and that are not exported. */
const mentioned = node => {
	const found = new Set();
	const visit = child => {
		const symbol = ts.isIdentifier(child) ? checker.getSymbolAtLocation(child) : undefined;
		const target = symbol && resolved(symbol);
		const declaration = target?.declarations?.[0];
		if (declaration && isOwn(declaration) && (ts.isTypeAliasDeclaration(declaration) || ts.isInterfaceDeclaration(declaration)) && !exported.has(target)) {
			found.add(target);
		}

		ts.forEachChild(child, visit);
	};

	visit(node);
	return found;
};

const statementOf = declaration => {
	for (let node = declaration; ; node = node.parent) {
		if (ts.isSourceFile(node.parent)) {
			return node;
		}
	}
};

// A group of overloads or a list of several constants is one text.
const textOf = symbol => [...new Set(symbol.declarations.map(statementOf))].map(statement => statement.getFullText().trim()).join('\n');

const others = new Set();
const collect = symbol => {
	for (const declaration of symbol.declarations) {
		for (const other of mentioned(statementOf(declaration))) {
			if (!others.has(other)) {
				others.add(other);
				collect(other);
			}
		}
	}
};

for (const symbol of exported.keys()) {
	collect(symbol);
}

const byName = (a, b) => a.name < b.name ? -1 : 1;
const withoutImports = text => text.replace(/^(?:\/\/\/ <reference[^\n]*\n|import [^\n]*\n)+/gm, '');
const section = symbols => [...symbols].sort(byName).map(symbol => withoutImports(textOf(symbol))).join('\n\n');
const text = `// Made by \`npm run generate\`: everything that the package exports. Review every change.\n\n${section(exported.keys())}\n\n// ---- Not exported by name, but part of the above ----\n\n${section(others)}\n`;

const before = (() => {
	try {
		return readFileSync(target, 'utf8');
	} catch {
		return '';
	}
})();
if (process.argv.includes('--check')) {
	const [had, has] = [new Set(before.split('\n')), new Set(text.split('\n'))];
	const difference = [...[...had].filter(line => !has.has(line)).map(line => `- ${line}`), ...[...has].filter(line => !had.has(line)).map(line => `+ ${line}`)];
	if (before !== text) {
		console.error(`The public surface is not that of test/api/surface.d.ts (npm run generate writes it anew):\n${difference.join('\n')}`);
		process.exitCode = 1;
	}
} else if (before !== text) {
	writeFileSync(target, text);
	console.log('test/api/surface.d.ts');
}
