/** Something that is wrong, or could be better, and what to do about it. */
export type DiagnosedProblem = {
	/** Part of the diagnosis that it is about. */
	readonly about: 'node' | 'addon' | 'cpu' | 'threads' | 'memory' | 'cuda' | 'temporary';
	/** An `error` keeps flab-pruner from working; a `warning` makes it slower, or something is not as it was asked for. */
	readonly severity: 'error' | 'warning';
	readonly message: string;
	/** What to do, as a sentence. */
	readonly remedy: string;
};

/** What flab-pruner found out about itself and the machine. What is unknown is null; without the addon, that is what only it can tell. */
export type Diagnosis = {
	/** Whether there is no problem of severity `error`. */
	readonly healthy: boolean;
	/** Version of flab-pruner; 'unknown' in a bundle. */
	readonly version: string;
	/** Version of Node. */
	readonly node: string;
	/** Such as 'linux', 'x64', '6.1.0', and the version of glibc where there is one. */
	readonly platform: {readonly os: string; readonly arch: string; readonly release: string; readonly glibc: string | null};
	/** The native addon: the file that it was loaded from, how that came about, or why it was not loaded. */
	readonly addon: {
		readonly loaded: boolean;
		readonly file: string | null;
		readonly origin: 'prebuilt' | 'built here' | null;
		readonly error: {readonly code: string; readonly message: string; readonly hint: string | null} | null;
	};
	/** The processor, the instruction set in use and why; `possible` are those that this processor has, the best one first. */
	readonly cpu: {
		readonly model: string;
		readonly instructionSet: string | null;
		readonly possible: readonly string[];
		/** Value of FLAB_CPU. */
		readonly forced: string | null;
		readonly reason: string;
	};
	/** Threads of the pool, and everything that has a say in it; null where there is no limit. */
	readonly threads: {
		readonly allowed: number | null;
		readonly cpus: number;
		readonly affinity: number | null;
		readonly cgroup: number | null;
		/** Value of FLAB_THREADS. */
		readonly wanted: string | null;
		readonly reason: string;
	};
	/** Memory in bytes; `defaultLimitBytes` is what a computation that begins now, in a run without `maxMemory`, takes at most: half of what is available. */
	readonly memory: {
		readonly totalBytes: number;
		readonly cgroupBytes: number | null;
		readonly availableBytes: number;
		readonly defaultLimitBytes: number;
	};
	/** The GPUs: `usable`, or the reason why there are none that can be used. */
	readonly cuda: {
		readonly state: 'usable' | 'not usable';
		readonly reason: string;
		readonly devices: ReadonlyArray<{
			/** As `device` names it, such as 'cuda:0'. */
			readonly device: string;
			readonly name: string;
			readonly computeCapability: string;
			readonly memoryBytes: number;
			readonly availableBytes: number;
			/** What computes matrix products on it, or why it can't be opened. */
			readonly products: string;
			readonly usable: boolean;
		}>;
	};
	/** Folder of temporary files, which a search for layers keeps states in. */
	readonly temporary: {readonly folder: string; readonly writable: boolean; readonly inMemory: boolean; readonly freeBytes: number | null};
	readonly problems: readonly DiagnosedProblem[];
};
