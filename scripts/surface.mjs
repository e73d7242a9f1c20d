#!/usr/bin/env node
// Writes dist/index.d.ts: everything that the package exports, as its declarations say, in one file without imports.

import {writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const compiled = `${root}build/ts/`;
const entry = `${compiled}index.d.ts`;

const program = ts.createProgram([entry], {module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, target: ts.ScriptTarget.ES2022, lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'], types: ['node'], strict: true});
const checker = program.getTypeChecker();
const resolved = symbol => symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
const isOwn = node => node.getSourceFile().fileName.startsWith(compiled);

const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry))).map(resolved);

const statementOf = declaration => {
	for (let node = declaration; ; node = node.parent) {
		if (ts.isSourceFile(node.parent)) {
			return node;
		}
	}
};

// A group of overloads or a list of several constants is one text.
const statementsOf = symbol => [...new Set(symbol.declarations.map(statementOf))];

/** Own types that a statement names and that are not exported. */
const missingFrom = statement => {
	const found = [];
	const visit = child => {
		const symbol = ts.isIdentifier(child) ? checker.getSymbolAtLocation(child) : undefined;
		const target = symbol && resolved(symbol);
		const declaration = target?.declarations?.[0];
		if (declaration && isOwn(declaration) && (ts.isTypeAliasDeclaration(declaration) || ts.isInterfaceDeclaration(declaration)) && !exported.includes(target)) {
			found.push(target.name);
		}

		ts.forEachChild(child, visit);
	};

	visit(statement);
	return found;
};

const missing = new Set(exported.flatMap(statementsOf).flatMap(missingFrom));
if (missing.size > 0) {
	throw new Error(`ts/index.ts: expected it to export every type that its exports speak of, ${[...missing].join(', ')} is not among them`);
}

const byName = (a, b) => a.name < b.name ? -1 : 1;
const withoutImports = text => text.replace(/^(?:\/\/\/ <reference[^\n]*\n|import [^\n]*\n)+/gm, '');
const textOf = symbol => withoutImports(statementsOf(symbol).map(statement => statement.getFullText().trim()).join('\n'));
writeFileSync(`${root}dist/index.d.ts`, `// Everything that the package exports. Made from its sources.\n\n${exported.sort(byName).map(textOf).join('\n\n')}\n`);
