// Removes the tokens that a corpus never uses; every layer and neuron stays. Texts like the corpus give the same token ids in the
// original's numbering, so the model computes the same for them, without the columns of the logits that nobody needs.
//     node examples/vocabulary-only.mjs [MODEL] [OUT] [CORPUS]
import {join} from 'node:path';
import {prune} from 'flab-pruner';

const data = join(import.meta.dirname, 'tiny-coder/data');
const [model = 'examples/tiny-coder', out = 'pruned', corpus = join(data, 'corpus.jsonl')] = process.argv.slice(2);

const {plan} = await prune({model, out, corpus, vocabulary: {select: 'used'}});
const {before, after, reasons, proof} = plan.vocabulary;
console.log(`${before} tokens before, ${after} after, kept because of:`, reasons);
console.log(`${proof.texts} texts of the corpus encoded with both tokenizers, ${proof.differing} differ`);
