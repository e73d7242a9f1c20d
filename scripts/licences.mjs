import {readFileSync, readdirSync} from 'node:fs';
import {join} from 'node:path';

/** Names, versions and licences of the packages that files are of, as one text; files outside of node_modules are passed over. */
export const licencesOf = files => {
	const folders = new Set(files.flatMap(file => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []));
	return [head, ...[...folders].sort().map(licenceOf)].join(`\n${'-'.repeat(80)}\n\n`);
};

const head = 'What flab-pruner has of other packages in dist/, and their licences.\n';

const licenceOf = folder => {
	const {name, version, license} = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
	const file = readdirSync(folder).find(name => /^licen[cs]e/i.test(name));
	if (file === undefined) {
		throw new Error(`${folder}: expected a file with its licence, found none: without it the package may not be packed`);
	}

	return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
};
