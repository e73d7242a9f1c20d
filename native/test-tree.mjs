// The one folder in which all native tests and benchmarks are built: what they share is compiled once.

import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const tree = join(root, 'build', 'native-tests');
export const configuration = ['-S', root, '-B', tree, '-DFLAB_ADDON=OFF', '-DFLAB_TESTS=ON', '-DFLAB_EMULATED=ON', '-DFLAB_BENCH=ON', '-DCMAKE_BUILD_TYPE=Release'];

// An outer make's job server must not reach the inner one; an instruction set chosen outside must not reach the tests.
const {MAKEFLAGS, MFLAGS, MAKELEVEL, FLAB_CPU, ...rest} = process.env;
export const environment = rest;
