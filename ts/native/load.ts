import {readdirSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {FlabError} from '../errors.js';
import type {Native} from './contract.js';
import {WrongVersion, loadFailure, notOnWindows, refuseBundle} from './failure.js';
import type {Attempt} from './failure.js';
import {packageRoot} from './root.js';

let loaded: {readonly native: Native; readonly file: string} | undefined;

/**
 * The native addon: the one that was built from source here, or the package's prebuilt binary. Loaded on first use.
 *
 * @throws FlabError `ERR_NATIVE_LOAD` if there is none or it does not load, with every attempt and what to do.
 */
export const loadNative = (): Native => {
	loaded ??= load();
	return loaded.native;
};

/** The file that the addon was loaded from. @throws as `loadNative` */
export const nativeFile = (): string => {
	loaded ??= load();
	return loaded.file;
};

const load = (): {readonly native: Native; readonly file: string} => {
	refuseBundle();
	if (process.platform === 'win32') {
		throw notOnWindows();
	}

	const require = createRequire(join(packageRoot, 'package.json'));
	const {version} = require('./package.json') as {readonly version: string};
	const attempts: Attempt[] = [];
	for (const file of places(require)) {
		try {
			return {native: ofVersion(version, require(file) as Native), file};
		} catch (cause) {
			// The addon is there, and refuses what it was told.
			const {code, message} = cause as {readonly code?: string; readonly message: string};
			if (code === 'ERR_BAD_ARGUMENT') {
				throw new FlabError('ERR_BAD_ARGUMENT', message, {hint: variableHints.find(([name]) => message.startsWith(name))?.[1], cause});
			}

			attempts.push({file, cause});
		}
	}

	throw loadFailure(attempts);
};

const variableHints = [
	['FLAB_CPU', 'Set FLAB_CPU to one of these, or unset it.'],
	['FLAB_THREADS', 'Set FLAB_THREADS to a number of threads, or unset it.'],
] as const;

// In the order of node-gyp-build, whose choice is mostly the first of them that is there. If that does not load, the next may:
// a folder that was built elsewhere and copied here has prebuilt binaries too.
const places = (require: NodeJS.Require): readonly string[] => {
	const builds = process.env['PREBUILDS_ONLY'] ? [] : ['Release', 'Debug'].map(kind => join(packageRoot, 'build', kind, 'flab_pruner.node'));
	const usual = [...builds, ...prebuilt(join(packageRoot, 'prebuilds', `${process.platform}-${process.arch}`))];
	const chosen = chosenByNodeGypBuild(require);
	return chosen === undefined || usual.includes(chosen) ? usual : [chosen, ...usual];
};

const prebuilt = (folder: string): readonly string[] => {
	let names: string[] = [];
	try {
		names = readdirSync(folder).filter(name => name.endsWith('.node')).sort();
	} catch {}

	return (names.length > 0 ? names : ['flab-pruner.glibc.node']).map(name => join(folder, name));
};

const chosenByNodeGypBuild = (require: NodeJS.Require): string | undefined => {
	try {
		return (require('node-gyp-build') as {readonly resolve: (folder: string) => string}).resolve(packageRoot);
	} catch {
		return undefined;
	}
};

const ofVersion = (expected: string, native: Native): Native => {
	if (native.version !== expected) {
		throw new WrongVersion(expected, native.version);
	}

	return native;
};
