import type {Inspection} from '../../ts/report/inspection.js';

/** An inspection of a model of 135 M parameters. */
export const exampleInspection = (): Inspection => ({
	family: 'qwen2',
	dir: './model',
	dtypes: ['BF16', 'F32'],
	layers: 30,
	width: 576,
	ffnWidth: 1536,
	queryHeads: 9,
	kvHeads: 3,
	headWidth: 64,
	vocabulary: 49_152,
	tied: true,
	parameters: 134_515_008,
	bytes: 269_030_016,
	components: [
		{name: 'embedding', parameters: 28_311_552, bytes: 56_623_104, share: 0.2104},
		{name: 'layers', parameters: 106_203_456, bytes: 212_406_912, share: 0.7895},
	],
	tokenizer: {kind: 'BPE', tokens: 49_152, addedTokens: 17, merges: 48_900},
	prunable: {
		vocabulary: {tokens: 49_152, parametersPerToken: 576, bytesPerToken: 1152},
		layers: {count: 30, parametersPerLayer: 3_540_096, bytesPerLayer: 7_080_192},
		ffn: {width: 1536, parametersPerNeuron: 51_840, bytesPerNeuron: 103_680},
	},
});
