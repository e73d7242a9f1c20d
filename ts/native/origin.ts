import {sep} from 'node:path';
import {nativeFile} from './load.js';

/** The file that the addon was loaded from, and whether it came with the package. @throws as `loadNative` */
export const addonOrigin = (): {readonly file: string; readonly origin: 'prebuilt' | 'built here'} => {
	const file = nativeFile();
	return {file, origin: file.split(sep).includes('prebuilds') ? 'prebuilt' : 'built here'};
};
