import {formatBytes, formatCount, formatInteger, formatShare} from './numbers.js';
import {tableToText} from './table.js';

/** What a checkpoint is, and what could be pruned. */
export type Inspection = {
	/** qwen2, llama, mistral or qwen3. */
	readonly family: string;
	/** Folder of the checkpoint, as it was named. */
	readonly dir: string;
	/** Dtypes of the weights, most bytes first. */
	readonly dtypes: readonly string[];
	/** L, decoder layers. */
	readonly layers: number;
	/** D, elements of a hidden state. */
	readonly width: number;
	/** F, neurons of a layer's FFN. */
	readonly ffnWidth: number;
	/** H. */
	readonly queryHeads: number;
	/** K. */
	readonly kvHeads: number;
	/** E, elements of a head. */
	readonly headWidth: number;
	/** V, rows of the embedding. */
	readonly vocabulary: number;
	/** Whether embedding and LM head are one tensor. */
	readonly tied: boolean;
	/** Elements of all tensors. */
	readonly parameters: number;
	/** Bytes of the weights. */
	readonly bytes: number;
	/** Parts of the model; `share` is of the parameters (0 to 1). */
	readonly components: readonly {readonly name: string; readonly parameters: number; readonly bytes: number; readonly share: number}[];
	/** Absent where there is none, or none that can be pruned. */
	readonly tokenizer?: {readonly kind: string; readonly tokens: number; readonly addedTokens: number; readonly merges: number};
	/** What there is to remove, and what removing one of them saves. */
	readonly prunable: {
		/** Rows of embedding and LM head. */
		readonly vocabulary: {readonly tokens: number; readonly parametersPerToken: number; readonly bytesPerToken: number};
		readonly layers: {readonly count: number; readonly parametersPerLayer: number; readonly bytesPerLayer: number};
		/** A neuron counted over all layers, as every layer keeps the same number. */
		readonly ffn: {readonly width: number; readonly parametersPerNeuron: number; readonly bytesPerNeuron: number};
	};
};

/** An inspection as plain text for a terminal. */
export const inspectionToText = (inspection: Inspection): string => [
	factsToText(facts(inspection)),
	tableToText({
		head: ['component', 'parameters', 'bytes', 'share'],
		rows: inspection.components.map(({name, parameters, bytes, share}) => [name, formatCount(parameters), formatBytes(bytes), formatShare(share)]),
	}),
	tableToText({head: ['prunable', 'number', 'parameters each', 'bytes each'], rows: prunableRows(inspection.prunable)}),
].join('\n');

const facts = (inspection: Inspection): readonly (readonly [string, string])[] => {
	const {family, dir, dtypes, layers, width, ffnWidth, queryHeads, kvHeads, headWidth, vocabulary, tied, parameters, bytes, tokenizer} = inspection;
	return [
		['checkpoint', dir],
		['family', family],
		['weights', `${formatCount(parameters)} parameters, ${formatBytes(bytes)}, ${dtypes.join(' ')}`],
		['layers', `${layers}, width ${formatInteger(width)}, FFN width ${formatInteger(ffnWidth)}`],
		['attention', `${queryHeads} query heads, ${kvHeads} key/value heads of width ${headWidth}`],
		['vocabulary', `${formatInteger(vocabulary)}, ${tied ? 'embedding and LM head tied' : 'LM head of its own'}`],
		['tokenizer', tokenizer ? `${tokenizer.kind}, ${formatInteger(tokenizer.tokens)} tokens, ${formatInteger(tokenizer.addedTokens)} added, ${formatInteger(tokenizer.merges)} merges` : 'none'],
	];
};

const prunableRows = ({vocabulary, layers, ffn}: Inspection['prunable']): readonly (readonly string[])[] => [
	['tokens', formatInteger(vocabulary.tokens), formatCount(vocabulary.parametersPerToken), formatBytes(vocabulary.bytesPerToken)],
	['layers', formatInteger(layers.count), formatCount(layers.parametersPerLayer), formatBytes(layers.bytesPerLayer)],
	['FFN neurons (over all layers)', formatInteger(ffn.width), formatCount(ffn.parametersPerNeuron), formatBytes(ffn.bytesPerNeuron)],
];

const factsToText = (rows: readonly (readonly [string, string])[]): string => {
	const nameWidth = Math.max(...rows.map(([name]) => name.length));
	return rows.map(([name, value]) => `${name.padEnd(nameWidth)}  ${value}\n`).join('');
};
