// Which machine the numbers are from, and how busy it is.

import {readFile} from 'node:fs/promises';
import os from 'node:os';

const systemName = async () => {
	try {
		return /^PRETTY_NAME="?(.*?)"?$/m.exec(await readFile('/etc/os-release', 'utf8'))[1];
	} catch {
		return os.version();
	}
};

export const describeMachine = async ({cpu, threads, compiler}) => ({
	date: new Date().toISOString(),
	cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
	instructionSet: cpu,
	cores: os.availableParallelism(),
	threads,
	memoryBytes: os.totalmem(),
	system: `${await systemName()}, ${os.type()} ${os.release()} ${os.arch()}`,
	node: process.version,
	compiler,
});

/** Seconds that all processors together have been busy. */
export const busySeconds = () => os.cpus().reduce((sum, {times: {user, nice, sys, irq}}) => sum + user + nice + sys + irq, 0) / 1000;
