import test from 'ava';
import {progressLine} from '../../ts/cli/progress.js';
import type {ProgressEvent} from '../../ts/progress.js';

const cases: readonly (readonly [event: ProgressEvent, elapsedMs: number, line: string])[] = [
	[{phase: 'write', done: 50e6, total: 200e6, unit: 'bytes'}, 500, 'writing  [======                  ]  25 %  100 MB/s  1.5 s left'],
	[{phase: 'evaluate', done: 3000, total: 4000, unit: 'tokens', detail: 'after'}, 2000, 'evaluating, after  [==================      ]  75 %  1.50 k tokens/s  667 ms left'],
	[{phase: 'count', done: 20, total: 0, unit: 'texts'}, 1000, 'counting tokens  20 texts  20 texts/s'],
	[{phase: 'hash', done: 0, total: 100, unit: 'bytes'}, 0, 'hashing  [                        ]  0 %'],
	[{phase: 'verify', done: 100, total: 100, unit: 'token-layers'}, 2000, 'verifying  [========================]  100 %  50 token-layers/s  in 2.0 s'],
	[{phase: 'verify', done: 120, total: 100, unit: 'token-layers'}, 2000, 'verifying  [========================]  100 %  60 token-layers/s  in 2.0 s'],
];

for (const [event, elapsedMs, line] of cases) {
	test(`${event.phase}: ${event.done} of ${event.total} after ${elapsedMs} ms`, t => {
		t.is(progressLine(event, elapsedMs), line);
	});
}
