import {formatBytes} from '../report/numbers.js';
import type {Diagnosis} from './diagnosis.js';

/** A diagnosis as plain text for a terminal. */
export const diagnosisToText = (diagnosis: Diagnosis): string => [...factsOf(diagnosis).map(([name, value]) => `${name.padEnd(nameWidth)}  ${value}`), '', ...verdict(diagnosis)].map(line => `${line}\n`).join('');

const nameWidth = 'instruction set'.length;

const factsOf = ({version, node, platform, addon, cpu, threads, memory, cuda, temporary}: Diagnosis): ReadonlyArray<readonly [name: string, value: string]> => [
	['flab-pruner', version],
	['Node', node],
	['platform', [`${platform.os} ${platform.arch}`, platform.release, ...platform.glibc === null ? [] : [`glibc ${platform.glibc}`]].join(', ')],
	['addon', addon.loaded ? `${addon.origin ?? 'loaded'}${addon.file === null ? '' : `, ${addon.file}`}` : 'not loaded'],
	['processor', `${cpu.model}; has ${cpu.possible.join(', ')}`],
	['instruction set', cpu.instructionSet === null ? cpu.reason : `${cpu.instructionSet}: ${cpu.reason}`],
	['threads', threads.allowed === null ? threads.reason : `${threads.allowed}: ${threads.reason} (CPUs ${threads.cpus}, affinity ${threads.affinity}, cgroup ${threads.cgroup ?? 'no quota'}, FLAB_THREADS ${threads.wanted ?? 'not set'})`],
	['memory', `${formatBytes(memory.availableBytes)} available of ${formatBytes(memory.totalBytes)}${memory.cgroupBytes === null ? '' : `, cgroup limit ${formatBytes(memory.cgroupBytes)}`}; without --max-memory a computation takes at most half of that, ${formatBytes(memory.defaultLimitBytes)}`],
	['CUDA', `${cuda.state}: ${cuda.reason}`],
	...cuda.devices.map(({device, name, computeCapability, memoryBytes, availableBytes, products}) =>
		[device, `${name}, compute capability ${computeCapability}, ${formatBytes(availableBytes)} free of ${formatBytes(memoryBytes)}; ${products}`] as const),
	...cuda.state === 'usable' ? [] : [['cuBLASLt', 'not looked for: it multiplies on a GPU'] as const],
	['temporary files', `${temporary.folder}, ${temporary.freeBytes === null ? 'space unknown' : `${formatBytes(temporary.freeBytes)} free`}`],
];

const verdict = ({healthy, problems}: Diagnosis): readonly string[] => [
	...problems.flatMap(({severity, message, remedy}) => [`${severity}: ${message.replaceAll('\n', '\n  ')}`, `  ${remedy.replaceAll('\n', '\n  ')}`]),
	...problems.length === 0 ? ['Nothing is wrong.'] : healthy ? ['It works.'] : [],
];
