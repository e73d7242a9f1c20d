// A BPE tokenizer of any size from 60 on: letters, a few signs and merges, with an unknown token for all else.

const words = 'def return import print class while name names point pass for in if else self true false range open append'.split(' ');
const letters = [...'▁abcdefghijklmnopqrstuvwxyz0123456789()[]:=+-*/.,_#\n'];

/** Text of a tokenizer.json with `size` tokens; 0 is unknown, 1 begins every text, 2 ends it. */
export const letterTokenizer = (size: number): string => {
	const tokens = ['<unk>', '<s>', '</s>', ...letters];
	const merges: [string, string][] = [];
	for (const pair of mergesOf(words)) {
		if (tokens.length < size) {
			merges.push(pair);
			tokens.push(pair.join(''));
		}
	}

	return JSON.stringify({
		version: '1.0',
		truncation: null,
		padding: null,
		added_tokens: tokens.slice(0, 3).map((content, id) => ({id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true})),
		normalizer: {type: 'Sequence', normalizers: [{type: 'Lowercase'}, {type: 'Replace', pattern: {String: ' '}, content: '▁'}]},
		pre_tokenizer: null,
		post_processor: {
			type: 'TemplateProcessing',
			single: [{SpecialToken: {id: '<s>', type_id: 0}}, {Sequence: {id: 'A', type_id: 0}}],
			pair: [{Sequence: {id: 'A', type_id: 0}}, {Sequence: {id: 'B', type_id: 1}}],
			special_tokens: {'<s>': {id: '<s>', ids: [1], tokens: ['<s>']}},
		},
		decoder: {type: 'Replace', pattern: {String: '▁'}, content: ' '},
		model: {type: 'BPE', unk_token: '<unk>', fuse_unk: false, byte_fallback: false, vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges},
	});
};

/** Each word grows from the left, a letter at a time, until it is whole; what was merged before is not merged again. */
const mergesOf = (list: readonly string[]): readonly (readonly [string, string])[] & [string, string][] => {
	const seen = new Set<string>();
	const merges: [string, string][] = [];
	for (const word of list) {
		for (let length = 1; length < word.length; length++) {
			const pair: [string, string] = [word.slice(0, length), word[length]!];
			if (!seen.has(pair.join(''))) {
				seen.add(pair.join(''));
				merges.push(pair);
			}
		}
	}

	return merges;
};
