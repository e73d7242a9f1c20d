import {describe, FlabError} from '../errors.js';
import type {Family} from './family.js';
import {families} from './tables.js';

/**
 * The family of a config.json, by `model_type`, or where that is missing by `architectures`.
 *
 * @param file path of the config.json, for messages
 * @throws `ERR_UNKNOWN_FAMILY`, naming the families there are and, without a model_type, the keys that the closest one misses
 */
export const identifyFamily = (config: Readonly<Record<string, unknown>>, file: string): Family => {
	const {model_type: modelType, architectures} = config;
	if (typeof modelType === 'string' && modelType !== '') {
		return families.find(({name}) => name === modelType) ?? unknownFamily(file, describe(modelType), '', 'Only decoders of these families can be pruned.');
	}

	const named = Array.isArray(architectures) ? families.find(({architecture}) => architectures.includes(architecture)) : undefined;
	return named ?? unknownFamily(file, modelType === undefined ? 'none' : describe(modelType), `. ${closest(config)}`, 'Add "model_type" to config.json, as it was published with the model, if the model is of one of these families.');
};

const unknownFamily = (file: string, got: string, more: string, hint: string): never => {
	throw new FlabError('ERR_UNKNOWN_FAMILY', `${file}: expected the model_type of a known family (${families.map(({name}) => name).join(', ')}), got ${got}${more}`, {file, hint});
};

const closest = (config: Readonly<Record<string, unknown>>): string => {
	const present = (keys: readonly string[]): number => keys.filter(key => key in config).length;
	// Shares, not counts: a family with more typical keys must not win by their number, unless all else is equal.
	const likeness = ({requiredKeys, typicalKeys}: Family): number =>
		present(requiredKeys) / requiredKeys.length + present(typicalKeys) / typicalKeys.length + present(typicalKeys) / 1000;
	const family = families.reduce((best, candidate) => (likeness(candidate) > likeness(best) ? candidate : best));
	const missing = ['model_type', ...family.requiredKeys].filter(key => !(key in config) || key === 'model_type');
	return `The closest is ${family.name}, for which these keys are missing: ${missing.join(', ')}`;
};
