// What is said when the native addon does not load: every file that was tried, why it did not load, what to do.

import {statSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join, relative} from 'node:path';
import {FlabError} from '../errors.js';
import {headerProblem} from './binary.js';
import {glibcVersion} from './glibc.js';
import {codeFolder, packageRoot} from './root.js';

/** A file that should have been the addon, and what came of it. */
export type Attempt = {readonly file: string; readonly cause: unknown};

/** The machine that the addon is to run on; `glibc` is undefined where the C library is another one. */
export type System = {readonly platform: string; readonly arch: string; readonly glibc: string | undefined};

/** Why a file did not load. `remedy` is a sentence; `rebuild` says whether a build from source would help too. */
export type Reason = {readonly reason: string; readonly remedy?: string; readonly rebuild: boolean};

/** An addon that was built for another version of the package. */
export class WrongVersion extends Error {
	constructor(expected: string, got: string | undefined) {
		super(`it is of ${got === undefined ? 'an older flab-pruner' : `flab-pruner ${got}`}, this is flab-pruner ${expected}`);
	}
}

/** The error for attempts that have all failed. */
export const loadFailure = (attempts: readonly Attempt[], system: System = thisSystem()): FlabError => {
	const reasons = attempts.map(({file, cause}) => reasonOf(file, cause, system));
	const {missingTools, listed, howToGet} = createRequire(join(packageRoot, 'package.json'))('./native/toolchain.cjs') as Toolchain;
	const missing = missingTools();
	const lines = attempts.map(({file}, i) => `  ${nameOf(file)}: ${reasons[i]!.reason}`);
	lines.push(`  build from source: ${missing.length > 0 ? `${listed(missing)} not found on PATH` : 'possible, its tools are here'}`);

	const remedies = [...new Set(reasons.flatMap(({remedy}) => remedy ?? []))];
	if (reasons.every(({rebuild}) => rebuild)) {
		const steps = [...missing.length > 0 ? [`install ${listed(missing)} (${howToGet(missing, system.platform)})`] : [], 'run `npm rebuild flab-pruner`'].join(', then ');
		remedies.push(`${capital(remedies.length > 0 ? `or ${steps}` : steps)} to build from source (where install scripts are switched off: \`node ${join(packageRoot, 'native/install.mjs')}\`; in a checkout: \`npm run build\`).`);
	}

	return new FlabError('ERR_NATIVE_LOAD', [`The native addon for ${system.platform}-${system.arch} could not be loaded${noted[system.platform] ?? ''}. Tried:`, ...lines].join('\n'), {
		hint: remedies.join(' '),
		cause: attempts.find(({cause}) => !isAbsent(cause))?.cause ?? attempts.at(-1)?.cause,
	});
};

/** A bundle has what a bundler sees: not the addon, the workers' files and what is loaded on first use. @throws ERR_NATIVE_LOAD within one */
export const refuseBundle = (): void => {
	if (packageRoot === '') {
		throw new FlabError('ERR_NATIVE_LOAD', `flab-pruner was bundled into a file in ${codeFolder}, away from its native addon and its workers' files`, {
			hint: 'Keep the package out of the bundle (esbuild: --external:flab-pruner; webpack, rollup, vite: external: [\'flab-pruner\']) and install it beside the bundle.',
		});
	}
};

export const notOnWindows = (): FlabError => new FlabError('ERR_NATIVE_LOAD', 'flab-pruner does not run on Windows', {
	hint: 'Install and run it in WSL 2, which is Linux.',
});

type Toolchain = {
	readonly missingTools: () => readonly string[];
	readonly listed: (names: readonly string[]) => string;
	readonly howToGet: (names: readonly string[], platform: string) => string;
};

const noted: Readonly<Record<string, string>> = {darwin: ' (for macOS there is no prebuilt binary; it is meant to build from source, which has not been tried yet)'};

const nameOf = (file: string): string => {
	const name = relative(packageRoot, file);
	return name.startsWith('..') ? file : name;
};

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const isAbsent = (cause: unknown): boolean => (cause as {code?: string}).code === 'MODULE_NOT_FOUND';

// In a folder that may not be entered: to Node the same as absent.
const isHidden = (file: string): boolean => {
	try {
		statSync(file);
		return false;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === 'EACCES';
	}
};

const denied: Reason = {reason: 'permission denied', remedy: 'Check who may read the file and its folder.', rebuild: false};

const reinstall = 'Install the package again.';

/** Why `file` did not load, from what Node or the dynamic linker said and from the file itself. */
export const reasonOf = (file: string, cause: unknown, {platform, arch, glibc}: System): Reason => {
	const {code, message} = cause as {readonly code?: string; readonly message: string};
	if (isAbsent(cause)) {
		return isHidden(file) ? denied : {reason: 'no such file', rebuild: true};
	}

	if (cause instanceof WrongVersion) {
		return {reason: message, remedy: reinstall, rebuild: true};
	}

	if (code === 'ERR_DLOPEN_DISABLED') {
		return 'permission' in process
			? {reason: 'Node\'s permission model forbids addons', remedy: 'Start Node with --allow-addons.', rebuild: false}
			: {reason: 'Node was started with --no-addons', remedy: 'Start Node without --no-addons.', rebuild: false};
	}

	if (message.includes('cannot open shared object file: Permission denied')) {
		return denied;
	}

	const problem = headerProblem(file, platform, arch);
	if (problem !== undefined) {
		return {reason: problem, remedy: 'Install the package again, on the machine that it is to run on.', rebuild: true};
	}

	if (platform === 'linux' && glibc === undefined && file.includes('.glibc.')) {
		return {reason: 'it is made for glibc, and this system has another C library (musl)', rebuild: true};
	}

	return linkerReason(file, message, glibc);
};

const linkerReason = (file: string, message: string, glibc: string | undefined): Reason => {
	const [, library, needed] = /version `([A-Z]+)_([\d.]+)' not found/.exec(message) ?? [];
	if (library === 'GLIBC') {
		return {reason: `it needs glibc ${needed}, this system has ${glibc ?? 'an older one'}`, remedy: `Use a system with glibc ${needed} or newer.`, rebuild: true};
	}

	if (library !== undefined) {
		return {reason: `it needs a newer library, one with ${library}_${needed}`, rebuild: true};
	}

	if (/(failed to map segment from shared object|cannot restore segment prot after reloc)(?!: Cannot allocate)/.test(message)) {
		return {reason: 'nothing may be executed from where it lies', remedy: 'Install the package on a file system that is not mounted noexec (findmnt -T shows how one is mounted), or ask what SELinux forbids.', rebuild: false};
	}

	const missing = /(?:^|library )([^\s:]+)(?:: cannot open shared object file)?: No such file/.exec(message)?.[1];
	if (missing !== undefined && missing !== file) {
		return {reason: `it needs ${missing}, which this system does not have`, remedy: `Install the package of your system that has ${missing}.`, rebuild: true};
	}

	return {reason: message.replace(`${file}: `, ''), remedy: reinstall, rebuild: true};
};

const thisSystem = (): System => ({platform: process.platform, arch: process.arch, glibc: glibcVersion()});
