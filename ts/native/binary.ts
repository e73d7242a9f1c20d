import {closeSync, openSync, readSync} from 'node:fs';

/**
 * What the first bytes of a binary say against loading it here; undefined if nothing. The dynamic linker can't be asked: for a
 * binary of another architecture it says "No such file or directory".
 */
export const headerProblem = (file: string, platform: string, arch: string): string | undefined => {
	let header: Buffer;
	try {
		header = firstBytes(file);
	} catch (error) {
		return `it could not be read (${(error as NodeJS.ErrnoException).code})`;
	}

	const kind = kindOf(header);
	const expected = platform === 'darwin' ? 'macOS' : 'Linux';
	if (kind === undefined) {
		return `it is damaged: expected a binary for ${expected}, got ${header.length === 0 ? 'an empty file' : 'something else'}`;
	}

	if (kind.system !== expected) {
		return `it is for ${kind.system}, this is ${expected}`;
	}

	return kind.arch === undefined || kind.arch === arch ? undefined : `it is for ${kind.arch}, this Node is for ${arch}`;
};

const headerBytes = 20;

const firstBytes = (file: string): Buffer => {
	const descriptor = openSync(file, 'r');
	try {
		const bytes = Buffer.alloc(headerBytes);
		return bytes.subarray(0, readSync(descriptor, bytes, 0, headerBytes, 0));
	} finally {
		closeSync(descriptor);
	}
};

const kindOf = (header: Buffer): {readonly system: string; readonly arch?: string} | undefined => {
	if (header.length === headerBytes && header.toString('latin1', 0, 4) === '\u007FELF') {
		// e_machine, in the byte order that e_ident names
		const machine = header[5] === 2 ? header.readUInt16BE(18) : header.readUInt16LE(18);
		return {system: 'Linux', arch: machines[machine] ?? `a processor of another kind (ELF machine ${machine})`};
	}

	if (header.length >= 4 && machMagics.has(header.readUInt32BE(0))) {
		return {system: 'macOS'};
	}

	return header.toString('latin1', 0, 2) === 'MZ' ? {system: 'Windows'} : undefined;
};

const machines: Readonly<Record<number, string>> = {3: 'ia32', 21: 'ppc64', 22: 's390x', 40: 'arm', 62: 'x64', 183: 'arm64', 243: 'riscv64', 258: 'loong64'};

// 64 bits of either byte order, and several architectures in one file
const machMagics: ReadonlySet<number> = new Set([0xFE_ED_FA_CF, 0xCF_FA_ED_FE, 0xCA_FE_BA_BE]);
