// Type-checks the TypeScript blocks of all documents at once, against the package as it is installed.

import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import ts from 'typescript';
import {packageRoot} from '../../ts/native/root.js';
import type {Block} from './blocks.js';

/** What the compiler says about the blocks, as FILE:LINE: MESSAGE; `folder` has the package in its node_modules. */
export const typeErrors = async (blocks: readonly Block[], folder: string): Promise<readonly string[]> => {
	const paths = new Map<string, Block>();
	for (const [place, block] of blocks.entries()) {
		const path = join(folder, `types-${place}.mts`);
		await writeFile(path, block.code);
		paths.set(path, block);
	}

	const program = ts.createProgram([...paths.keys()], {
		noEmit: true,
		strict: true,
		noUncheckedIndexedAccess: true,
		skipLibCheck: true,
		target: ts.ScriptTarget.ES2022,
		lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
		module: ts.ModuleKind.NodeNext,
		moduleResolution: ts.ModuleResolutionKind.NodeNext,
		typeRoots: [join(packageRoot, 'node_modules/@types')],
		types: ['node'],
	});
	return ts.getPreEmitDiagnostics(program).map(({file, start, messageText}) => {
		const block = file && paths.get(file.fileName);
		const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
		const place = block ? block.place.replace(/\d+$/, String(block.line + line)) : file?.fileName;
		return `${place}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
	});
};
