import type {LayerPlan} from '../plan/schema.js';
import {formatCount, formatShare} from './numbers.js';

/** What the search for layers took, as '18.3 M of 61.2 M token-layers (29.9 %)'; undefined where it was not noted, as in plans of earlier releases. */
export const searchWork = ({steps}: Pick<LayerPlan, 'steps'>): string | undefined => {
	if (steps.length === 0 || steps.some(({tokenLayers, tokenLayersFull}) => tokenLayers === undefined || tokenLayersFull === undefined)) {
		return undefined;
	}

	const [taken, full] = [steps.reduce((sum, step) => sum + step.tokenLayers!, 0), steps.reduce((sum, step) => sum + step.tokenLayersFull!, 0)];
	return `${formatCount(taken)} of ${formatCount(full)} token-layers${full > 0 ? ` (${formatShare(taken / full)})` : ''}`;
};
