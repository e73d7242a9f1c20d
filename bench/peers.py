"""What people would run instead, in PyTorch and transformers: peers of the cases of native/bench, timed in the same way.

Started by `npm run bench -- --peers`; peer_server.py says how it is asked. Its setup is {"threads": 2, "models": [...]}, the models'
shapes as flab_bench lists them.

Operands are made once for a case and shared by its peers; another case lets go of them first.
"""

import itertools
import os

from peer_server import Clock, begin, compiled, peers, serve

setup = begin("torch", "transformers")
# Kernels are compiled in this process: no workers that would still be busy while the other side is timed.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
import torch
import torch.nn.functional as F
import transformers

models = setup["models"]
torch.set_num_threads(setup["threads"])


def dtype_of(name):
    return {"f32": torch.float32, "bf16": torch.bfloat16}[name]


def sizes(text):
    return [int(size) for size in text.split("x")]


@peers("product", "eager: F.linear")
def product(shape):
    dtype, size = shape.split("/")
    rows, depth, outputs = sizes(size)
    a, w = torch.randn(rows, depth).to(dtype_of(dtype)), torch.randn(outputs, depth).to(dtype_of(dtype))
    return {"eager: F.linear": lambda: F.linear(a, w)}


# ---- slices ----


def take(axis):
    def build(shape):
        size, keep = shape.split("/keep")
        matrix = torch.randn(*sizes(size), dtype=torch.bfloat16)
        index = torch.randperm(matrix.shape[axis])[: int(keep)].sort().values
        out = torch.index_select(matrix, axis, index)
        fast = compiled(lambda matrix, index, out: out.copy_(matrix.index_select(axis, index)))
        return {
            "eager: index_select": lambda: torch.index_select(matrix, axis, index, out=out),
            "compiled: index_select": lambda: fast(matrix, index, out),
        }

    return build


for beginning, axis in (("slice-rows", 0), ("slice-columns", 1)):
    peers(beginning, "eager: index_select", "compiled: index_select")(take(axis))


# ---- KL ----


def kl_rows(p, q):
    """KL(P || Q) of each row of logits, in f32."""
    p, q = torch.log_softmax(p.float(), -1), torch.log_softmax(q.float(), -1)
    return (p.exp() * (p - q)).sum(-1)


@peers("kl", "eager: log_softmax", "compiled: log_softmax")
def kl(shape):
    dtype, size = shape.split("/")
    p = 3 * torch.randn(*sizes(size))
    q = (p + 0.3 * torch.randn_like(p)).to(dtype_of(dtype))
    p = p.to(dtype_of(dtype))
    fast = compiled(kl_rows)
    return {"eager: log_softmax": lambda: kl_rows(p, q), "compiled: log_softmax": lambda: fast(p, q)}


@peers("kl-head", *(f"{kind}: {form}" for kind in ("eager", "compiled") for form in ("whole", "32 rows at a time")))
def kl_head(shape):
    dtype, size, tokens, candidates = shape.split("/")
    width, vocabulary = sizes(size)
    tokens, candidates = int(tokens.split()[0]), int(candidates.split()[0])
    w = (0.02 * torch.randn(vocabulary, width)).to(dtype_of(dtype))
    reference = torch.randn(tokens, width)
    hidden = (reference + 0.1 * torch.randn(candidates, tokens, width)).to(dtype_of(dtype))
    reference = reference.to(dtype_of(dtype))

    def loop(kl, step):
        sums = torch.empty(candidates, tokens)
        for i in range(0, tokens, step):
            p = F.linear(reference[i : i + step], w)
            for k in range(candidates):
                sums[k, i : i + step] = kl(p, F.linear(hidden[k, i : i + step], w))

    fast = compiled(kl_rows)
    return {
        "eager: whole": lambda: loop(kl_rows, tokens),
        "eager: 32 rows at a time": lambda: loop(kl_rows, 32),
        "compiled: whole": lambda: loop(fast, tokens),
        "compiled: 32 rows at a time": lambda: loop(fast, 32),
    }


# ---- neurons ----


def mean_abs(activations):
    return activations.abs().mean(0, dtype=torch.float32)


def norms(matrix):
    return torch.linalg.vector_norm(matrix, dim=0, dtype=torch.float32)


@peers("neurons/activation", "eager: abs().mean", "eager: vector_norm", "compiled: abs().mean", "compiled: vector_norm")
def activation(shape):
    dtype, size = shape.split("/")
    activations = torch.randn(*sizes(size)).to(dtype_of(dtype))
    absolute = lambda activations: torch.linalg.vector_norm(activations, 1, dim=0, dtype=torch.float32) / len(activations)
    fast, fast_absolute = compiled(mean_abs), compiled(absolute)
    return {
        "eager: abs().mean": lambda: mean_abs(activations),
        "eager: vector_norm": lambda: absolute(activations),
        "compiled: abs().mean": lambda: fast(activations),
        "compiled: vector_norm": lambda: fast_absolute(activations),
    }


@peers("neurons/wanda", "eager: vector_norm", "compiled: vector_norm")
def wanda(shape):
    dtype, size = shape.split("/")
    tokens, count = sizes(size)
    width = {1536: 576, 4864: 896, 13440: 4096}[count]
    activations, down = torch.randn(tokens, count).to(dtype_of(dtype)), torch.randn(width, count).to(dtype_of(dtype))
    scores = lambda activations, down: norms(down) * norms(activations)
    fast = compiled(scores)
    return {"eager: vector_norm": lambda: scores(activations, down), "compiled: vector_norm": lambda: fast(activations, down)}


# ---- whole models ----


def make_model(name):
    """A model with random bf16 weights: CodeQwen's as Qwen2, the others as Llama."""
    shape = next(model for model in models if model["name"] == name)
    make = transformers.Qwen2Config if "qwen" in name else transformers.LlamaConfig
    config = make(
        hidden_size=shape["width"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["queryHeads"],
        num_key_value_heads=shape["kvHeads"],
        intermediate_size=shape["ffnWidth"],
        vocab_size=shape["vocabulary"],
        tie_word_embeddings=True,
    )
    return transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa").eval()


def some_texts(size):
    count, length = sizes(size)
    return torch.randint(0, 40000, (count, length), generator=torch.Generator().manual_seed(0))


@peers("forward", "eager: transformers")
def forward(shape):
    _, name, size, kind = shape.split("/")
    model, ids = make_model(name), some_texts(size)
    if kind == "states":
        return {"eager: transformers": lambda: model.model(ids, use_cache=False)}
    return {"eager: transformers": lambda: model(ids, use_cache=False, logits_to_keep=1 if kind == "last logits" else 0)}


@peers("neurons-in-forward", "eager: hooks", "compiled: hooks")
def neurons_in_forward(shape):
    """What gathers the norms for Wanda: a hook before every down projection."""
    _, name, size = shape.split("/")
    model, ids = make_model(name), some_texts(size)
    squares = [torch.zeros(layer.mlp.down_proj.in_features) for layer in model.model.layers]
    add = lambda sums, activations: sums.add_(norms(activations.flatten(0, 1)).square())
    fast = compiled(add)

    def run(add):
        def gather(sums):
            def hook(_, inputs):
                add(sums, inputs[0])

            return hook

        hooks = [layer.mlp.down_proj.register_forward_pre_hook(gather(sums)) for layer, sums in zip(model.model.layers, squares)]
        model.model(ids, use_cache=False)
        for hook in hooks:
            hook.remove()

    return {"eager: hooks": lambda: run(add), "compiled: hooks": lambda: run(fast)}


class Candidates:
    """The search as one would write it: leave out a layer, run the whole model again, take the KL of its logits against the
    stored ones of the full model, compiled. A run does one candidate, the next one each time; a search does all of them."""

    BATCH = 8  # texts

    def __init__(self, shape):
        _, name, size, kind = shape.split("/")
        self.model = make_model(name)
        self.keep = 1 if kind == "last positions" else 0
        self.layers = self.model.model.layers
        self.parts = len(self.layers)
        # From the middle on: the first layer is no more typical than the last.
        self.next = itertools.cycle([(self.parts // 2 + i) % self.parts for i in range(self.parts)])
        self.batches = some_texts(size).split(self.BATCH)
        self.reference = [self.logits(ids) for ids in self.batches]
        self.kl = compiled(kl_rows)
        self.kl(self.reference[0], self.reference[0])

    def logits(self, ids):
        return self.model(ids, use_cache=False, logits_to_keep=self.keep).logits.flatten(0, 1)

    def __call__(self):
        out = next(self.next)
        model = self.model
        model.model.layers = torch.nn.ModuleList(layer for i, layer in enumerate(self.layers) if i != out)
        model.config.num_hidden_layers = self.parts - 1
        sum(self.kl(p, self.logits(ids)).sum().item() for p, ids in zip(self.reference, self.batches))
        model.model.layers, model.config.num_hidden_layers = self.layers, self.parts


@peers("sweep", "eager: naive search")
def sweep(shape):
    return {"eager: naive search": Candidates(shape)}


serve(Clock())
