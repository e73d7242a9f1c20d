import test from 'ava';
import {load} from './load.js';

const {bestOfKinds, disturbances, resultTable} = await load('table.mjs');

const peer = (name: string, medianSeconds: number, more = {}) => ({name, medianSeconds, ratioOfMedians: medianSeconds / 0.01, ...more});
const result = (name: string, more = {}) => ({name, runs: 5, medianSeconds: 0.01, bestSeconds: 0.009, bytes: 1e8, flops: 0, tokens: 0, peakBytes: 2e6, peers: [], ...more});

test('the best of each kind of peer counts, whichever came first', t => {
	const peers = [peer('eager: a', 3), peer('eager: b', 2), peer('compiled: a', 1), {name: 'compiled: b', error: 'no'}, peer('copy', 9)];
	t.deepEqual(bestOfKinds(peers).map(({name}: {name: string}) => name), ['eager: b', 'compiled: a', 'copy']);
});

test('a row for a case, another for its second kind of peer', t => {
	t.is(resultTable([
		result('limit/copy'),
		result('kl/bf16/512x32000', {shareOfLimit: 0.5, peers: [peer('eager: x', 0.1, {peakBytes: 3e8}), peer('compiled: x', 0.02, {note: 'estimated'})]}),
	]), `
| operation | shape          | runs |  median |    best |     speed | of limit |  memory | compared with           | its median | its memory |  ratio |
| --------- | -------------- | ---: | ------: | ------: | --------: | -------: | ------: | ----------------------- | ---------: | ---------: | -----: |
| limit     | copy           |    5 | 10.0 ms | 9.00 ms | 10.0 GB/s |        - | 2.00 MB | -                       |          - |          - |      - |
| kl        | bf16/512x32000 |    5 | 10.0 ms | 9.00 ms | 10.0 GB/s |   50.0 % | 2.00 MB | eager: x                |     100 ms |     300 MB | 10.0 x |
|           |                |      |         |         |           |          |         | compiled: x (estimated) |    20.0 ms |          - | 2.00 x |
`.trimStart());
});

test('without peers there are no columns for them', t => {
	t.is(resultTable([result('start-up/--help', {bytes: undefined, peakBytes: undefined, peers: [{name: 'x', error: 'no'}]})]), `
| operation | shape  | runs |  median |    best | speed | of limit | memory |
| --------- | ------ | ---: | ------: | ------: | ----: | -------: | -----: |
| start-up  | --help |    5 | 10.0 ms | 9.00 ms |     - |        - |      - |
`.trimStart());
});

test('cases that something else disturbed are named', t => {
	const results = [result('a', {otherCores: 0.05}), result('b', {otherCores: 0.4}), result('c', {peers: [peer('x', 1, {otherCores: 1.23})]})];
	t.deepEqual(disturbances(results), ['b: 0.4 processors were busy with something else', 'c: 1.2 processors were busy with something else']);
});
