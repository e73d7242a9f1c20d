import type {Report} from '../../ts/report/report.js';
import {examplePlan} from '../plan/examplePlan.js';

/** The report of carrying out the example plan. */
export const exampleReport = (): Report => ({
	schemaVersion: 1,
	plan: examplePlan(),
	output: {files: {'model.safetensors': {bytes: 196_000_500, sha256: 'f'.repeat(64)}, 'config.json': {bytes: 480}}, bytes: 196_000_980, parameters: 98_000_000},
	verification: {relativeError: 3e-7, maxDifference: 1.5e-5, maxLogit: 23.4, positions: 300, sameTop: 299, tolerance: 1e-5},
	timings: [{phase: 'layers', durationMs: 83_500}, {phase: 'write', durationMs: 820}],
	peakBytes: 512_000_000,
});
