import {formatBytes} from '../report/numbers.js';
import type {DiagnosedProblem, Diagnosis} from './diagnosis.js';

type Findings = Omit<Diagnosis, 'healthy' | 'problems'>;

/** Below these a run of a small model may fail, or a search can't keep its states. */
const leastMemory = 512 * 2 ** 20;
const leastTemporary = 2 ** 30;

/** What is wrong, in the order of the diagnosis. */
export const problemsOf = (findings: Findings): readonly DiagnosedProblem[] =>
	[nodeProblem(findings), addonProblem(findings), threadsProblem(findings), memoryProblem(findings), temporaryProblem(findings)].filter(problem => problem !== undefined);

const nodeProblem = ({node}: Findings): DiagnosedProblem | undefined => {
	const [major = 0, minor = 0] = node.split('.').map(Number);
	const supported = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 24;
	return supported ? undefined : {
		about: 'node', severity: 'error', message: `Node ${node} is not supported`, remedy: 'Install Node 20.19, 22.12 or 24, or a newer version of one of these.',
	};
};

const addonProblem = ({addon: {error}}: Findings): DiagnosedProblem | undefined => {
	if (!error) {
		return undefined;
	}

	const about = error.code !== 'ERR_BAD_ARGUMENT' ? 'addon' : error.message.startsWith('FLAB_THREADS') ? 'threads' : 'cpu';
	return {about, severity: 'error', message: error.message, remedy: error.hint ?? 'Reinstall flab-pruner.'};
};

const threadsProblem = ({threads: {allowed, affinity, cgroup, wanted}}: Findings): DiagnosedProblem | undefined => {
	if (allowed === null || affinity === null) {
		return undefined;
	}

	const [granted, asked] = [Math.min(affinity, cgroup ?? affinity), wanted === null ? affinity : Number(wanted)];
	if (allowed < Math.min(granted, asked)) {
		return {
			about: 'threads', severity: 'warning', message: `Only ${allowed} of ${Math.min(granted, asked)} threads could be started`,
			remedy: 'Raise the limit of processes (ulimit -u, or pids.max of the container or job), or run less beside it.',
		};
	}

	return wanted === null || asked <= granted ? undefined : {
		about: 'threads', severity: 'warning', message: `FLAB_THREADS=${wanted} is more than the ${granted} that the machine grants`,
		remedy: 'Ask the scheduler or the container for more CPUs, or lower it.',
	};
};

const memoryProblem = ({memory: {availableBytes, cgroupBytes}}: Findings): DiagnosedProblem | undefined =>
	availableBytes >= leastMemory ? undefined : {
		about: 'memory', severity: 'warning', message: `Only ${formatBytes(availableBytes)} of memory are available`,
		remedy: cgroupBytes === null ? 'Close other programs.' : 'Give the container or job more memory.',
	};

const temporaryProblem = ({temporary: {folder, writable, inMemory, freeBytes}}: Findings): DiagnosedProblem | undefined => {
	const reason = [
		...writable ? [] : ['can\'t be written to'],
		...inMemory ? ['is in memory'] : [],
		...freeBytes !== null && freeBytes < leastTemporary ? [`has only ${formatBytes(freeBytes)} free`] : [],
	][0];
	return reason === undefined ? undefined : {
		about: 'temporary', severity: 'warning', message: `${folder} ${reason}: a search for layers takes longer without a place for its states`, remedy: 'Set TMPDIR to a folder on a disk with space.',
	};
};
