import {readFileSync} from 'node:fs';
import os from 'node:os';
import process from 'node:process';
import type {Diagnosis} from './diagnosis.js';

// Instruction sets that there are kernels for, the best one first, with what they need of a processor, as Linux names it.
const avx2 = ['avx2', 'fma', 'f16c'];
const avx512 = [...avx2, 'avx512f', 'avx512bw', 'avx512dq', 'avx512vl'];
const setsByArchitecture: Readonly<Record<string, ReadonlyArray<readonly [name: string, needs: readonly string[]]>>> = {
	x64: [['avx512bf16', [...avx512, 'avx512_bf16']], ['avx512', avx512], ['avx2', avx2], ['generic', []]],
	arm64: [['neonbf16', ['asimd', 'bf16']], ['neon', ['asimd']], ['generic', []]],
};

/** The processor and the instruction set in use (`active`, null without the addon), and why it is that one. */
export const diagnoseCpu = (active: string | null): Diagnosis['cpu'] => {
	const flags = processorFlags();
	const sets = setsByArchitecture[process.arch] ?? [['generic', []]];
	const possible = sets.filter(([, needs]) => needs.every(flag => flags.has(flag))).map(([name]) => name);
	const forced = process.env['FLAB_CPU'] || null;
	return {model: modelName(), instructionSet: active, possible, forced, reason: reasonFor(active, forced, sets, possible, flags)};
};

const reasonFor = (active: string | null, forced: string | null, sets: ReadonlyArray<readonly [string, readonly string[]]>, possible: readonly string[], flags: ReadonlySet<string>): string => {
	if (active === null) {
		return 'unknown: the addon is not loaded';
	}

	if (forced !== null) {
		return 'FLAB_CPU asks for it';
	}

	const best = `the best of this build that the processor has`;
	const better = sets.slice(0, sets.findIndex(([name]) => name === active)).at(-1);
	const lacking = better?.[1].filter(flag => !flags.has(flag)) ?? [];
	return better === undefined || possible.includes(better[0]) || lacking.length === 0 ? best : `${best}; ${better[0]} needs ${lacking.join(', ')} too`;
};

const processorFlags = (): ReadonlySet<string> => new Set(/^(?:flags|Features)\s*:\s*(.*)$/m.exec(processorInfo())?.[1]?.split(/\s+/));

const modelName = (): string => os.cpus()[0]?.model.trim() || 'unknown';

const processorInfo = (): string => {
	try {
		return readFileSync('/proc/cpuinfo', 'utf8');
	} catch {
		return '';
	}
};
