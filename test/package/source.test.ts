// The tarball without a prebuilt binary: built from source where the tools are there, else a sentence that names each one that is missing.

import {delimiter} from 'node:path';
import test from 'ava';
import {emptyFolder, onlyNode, which} from './processes.js';
import {beginProject, install, works} from './project.js';
import {worked} from './registry.js';
import {pack} from './tarball.js';
import type {Tarball} from './tarball.js';

let tarball: Tarball;

test.before(async () => {
	tarball = await pack(await emptyFolder(), {withPrebuilt: false});
});

test('without tools the installation fails with a sentence that names each of them', async t => {
	const folder = await emptyFolder();
	await beginProject(folder);
	const {code, errors, out} = await install(folder, tarball.file, await onlyNode());
	const sentences = [
		`flab-pruner: there is no prebuilt binary for ${process.platform}-${process.arch} in the package, so it must be built from source.`,
		'flab-pruner: That needs cmake, make and g++, not found on PATH.',
		'flab-pruner: Install them (Debian and Ubuntu: apt-get install cmake make g++; Fedora and RHEL: dnf install cmake make gcc-c++), then install flab-pruner again.',
	];
	if (errors.includes('flab-pruner: ') || await worked(t, {code, errors, out})) {
		t.not(code, 0);
		for (const sentence of sentences) {
			t.true(errors.includes(sentence), errors);
		}
	}
});

test('with the tools it is built from source', async t => {
	if (['cmake', 'make', 'c++'].some(name => which(name) === undefined)) {
		t.log('skipped: cmake, make or c++ is not here');
		t.pass();
		return;
	}

	const folder = await emptyFolder();
	await beginProject(folder);
	const path = `${await onlyNode()}${delimiter}${process.env['PATH']}`;
	if (await worked(t, await install(folder, tarball.file, path))) {
		await works(t, folder, tarball.version, await onlyNode());
	}
});
