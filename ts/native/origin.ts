import {createRequire} from 'node:module';
import {loadNative} from './load.js';

/** The file that the addon was loaded from, and whether it came with the package; undefined where it can't be told. @throws as `loadNative` */
export const addonOrigin = (): {readonly file: string; readonly origin: 'prebuilt' | 'built here'} | undefined => {
	const native = loadNative();
	const {cache} = createRequire(import.meta.url);
	const file = Object.keys(cache).find(name => cache[name]?.exports === native);
	return file === undefined ? undefined : {file, origin: /[/\\]prebuilds[/\\]/.test(file) ? 'prebuilt' : 'built here'};
};
