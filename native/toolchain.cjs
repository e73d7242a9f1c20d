// What a build from source needs and this machine lacks. CommonJS, as the install script (before anything is compiled) and the
// loader both ask.

'use strict';

const {accessSync, constants, statSync} = require('node:fs');
const {delimiter, join} = require('node:path');

const onPath = (name, environment) => (environment.PATH ?? '').split(delimiter).some(folder => {
	try {
		const file = join(folder, name);
		accessSync(file, constants.X_OK);
		return folder !== '' && statSync(file).isFile();
	} catch {
		return false;
	}
});

/** The generator for CMake: its own choice (make, or CMAKE_GENERATOR), or ninja where that is what there is. */
const generator = (environment = process.env) =>
	!environment.CMAKE_GENERATOR && !onPath('make', environment) && onPath('ninja', environment) ? ['-G', 'Ninja'] : [];

/** Names of the tools that are not there, as sentences name them. */
const missingTools = (environment = process.env) => {
	const compilers = ['c++', 'g++', 'clang++'];
	return [
		['cmake', onPath('cmake', environment)],
		['make', Boolean(environment.CMAKE_GENERATOR) || ['make', 'ninja'].some(name => onPath(name, environment))],
		['g++', Boolean(environment.CXX) || compilers.some(name => onPath(name, environment))],
	].filter(([, there]) => !there).map(([name]) => name);
};

/** "cmake, make and g++" */
const listed = names => names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;

/** The commands that install the tools. */
const howToGet = (names, platform = process.platform) => platform === 'darwin'
	? 'xcode-select --install has the compiler and make, brew install cmake the rest'
	: `Debian and Ubuntu: apt-get install ${names.join(' ')}; Fedora and RHEL: dnf install ${names.join(' ').replace('g++', 'gcc-c++')}`;

module.exports = {generator, missingTools, listed, howToGet};
