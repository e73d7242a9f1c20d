import {access, constants, statfs} from 'node:fs/promises';
import os from 'node:os';
import process from 'node:process';
import {FlabError} from '../errors.js';
import type {Native, Resources} from '../native/contract.js';
import {glibcVersion} from '../native/glibc.js';
import {guarded} from '../native/jobs.js';
import {loadNative} from '../native/load.js';
import {addonOrigin} from '../native/origin.js';
import {packageRoot} from '../native/root.js';
import {generator} from '../report/generator.js';
import {diagnoseCpu} from './cpu.js';
import {diagnoseCuda} from './cuda.js';
import type {Diagnosis} from './diagnosis.js';
import {problemsOf} from './problems.js';

/** Finds out how flab-pruner is installed here and what the machine grants it. Never rejects: an addon that does not load is a finding. */
export const doctor = async (): Promise<Diagnosis> => {
	const {addon, native, resources} = loadAddon();
	const findings = {
		version: packageRoot === '' ? 'unknown' : generator().version,
		node: process.versions.node,
		platform: {os: process.platform, arch: process.arch, release: os.release(), glibc: glibcVersion() ?? null},
		addon,
		cpu: diagnoseCpu(native?.cpu ?? null),
		threads: diagnoseThreads(native, resources),
		memory: diagnoseMemory(resources),
		cuda: await diagnoseCuda(native),
		temporary: await diagnoseTemporary(),
	};
	const problems = problemsOf(findings);
	return {healthy: problems.every(({severity}) => severity !== 'error'), ...findings, problems};
};

const loadAddon = (): {readonly addon: Diagnosis['addon']; readonly native?: Native; readonly resources?: Resources} => {
	try {
		const native = loadNative();
		return {addon: {loaded: true, ...addonOrigin(), error: null}, native, resources: guarded(() => native.resources())};
	} catch (error) {
		const {code, message, hint} = error instanceof FlabError ? error : {code: 'ERR_INTERNAL', message: String(error), hint: undefined};
		return {addon: {loaded: false, file: null, origin: null, error: {code, message, hint: hint ?? null}}};
	}
};

const diagnoseThreads = (native: Native | undefined, resources: Resources | undefined): Diagnosis['threads'] => {
	const cpus = os.cpus().length;
	const wanted = process.env['FLAB_THREADS'] || null;
	if (!native || !resources) {
		return {allowed: null, cpus, affinity: null, cgroup: null, wanted, reason: 'unknown: the addon is not loaded'};
	}

	const {affinityThreads: affinity, cgroupThreads: cgroup} = resources;
	const {threads: allowed} = native;
	const reasons = [
		...allowed === Number(wanted) ? ['FLAB_THREADS asks for no more'] : [],
		...allowed === cgroup ? ['the CPU quota of the control group (cgroup)'] : [],
		...allowed === affinity ? [affinity < cpus ? 'the CPUs that the affinity of the process allows (taskset, Slurm)' : 'all CPUs'] : [],
	];
	return {allowed, cpus, affinity, cgroup: cgroup ?? null, wanted, reason: reasons[0] ?? 'as many as could be started'};
};

const diagnoseMemory = (resources: Resources | undefined): Diagnosis['memory'] => {
	const availableBytes = resources?.availableBytes ?? os.freemem();
	return {totalBytes: os.totalmem(), cgroupBytes: resources?.cgroupBytes ?? null, availableBytes, defaultLimitBytes: Math.floor(availableBytes / 2)};
};

const diagnoseTemporary = async (): Promise<Diagnosis['temporary']> => {
	// As the addon chooses it.
	const folder = process.env['TMPDIR'] || '/tmp';
	const writable = await access(folder, constants.W_OK).then(() => true, () => false);
	const {type, bavail, bsize} = await statfs(folder).catch(() => ({type: 0, bavail: null, bsize: 0}));
	return {folder, writable, inMemory: memoryFileSystems.has(type), freeBytes: bavail === null ? null : bavail * bsize};
};

// tmpfs and ramfs: see statfs(2).
const memoryFileSystems: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);
