// The benchmark is JavaScript beside the sources: the tests, which run from build/, find it from the root of the project.

import {join} from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';

const root = fileURLToPath(import.meta.url).split(/[/\\](?:build[/\\]tests[/\\])?test[/\\]bench[/\\]/)[0]!;

/** A module of bench/; with a `copy`, one with a state of its own. */
export const load = async (name: string, copy = ''): Promise<any> => import(pathToFileURL(join(root, 'bench', name)).href + (copy && `?${copy}`));
