"""What people would run instead on a GPU, in PyTorch and transformers: peers of the cases "gpu/..." of native/bench.

Started by scripts/gpu-check.sh; peer_server.py says how it is asked. Its setup is {"device": "cuda", "models": [...], "cases": {...}}: the
models' shapes, and bytes and flops of each case, as flab_bench lists them. The device "cpu" is there to try this file without a GPU.
"""

import functools
import itertools
import os
import tempfile
import time

from peer_server import Clock, begin, compiled, peers, serve

setup = begin("torch")
import torch
import torch.nn.functional as F

device, on_gpu = setup["device"], setup["device"] == "cuda"
TURNS = 4  # operands that are used in turns, so that none is found in the L2 cache


def synchronize():
    if on_gpu:
        torch.cuda.synchronize()


class GpuClock(Clock):
    """Of short operations, as many go into a run as take some 20 ms; the run ends when the GPU has done them."""

    def warm(self, run):
        run()
        synchronize()
        if getattr(run, "is_long", False):
            return 1
        start = time.perf_counter()
        run()
        synchronize()
        return max(1, min(40, int(0.02 / (time.perf_counter() - start)))) if on_gpu else 1

    def measure(self, run, repeats):
        start = time.perf_counter()
        for _ in range(repeats):
            run()
        synchronize()
        return {"seconds": (time.perf_counter() - start) / repeats}


def in_turns(operations):
    turns = itertools.cycle(operations)
    return lambda: next(turns)()


def each_turn(make):
    """A function of operands that there are TURNS of: make() gives it for one of them."""
    return in_turns([make() for _ in range(TURNS)])


def dtype_of(name):
    return {"f32": torch.float32, "bf16": torch.bfloat16}[name]


def sizes(text):
    return [int(size) for size in text.split("x")]


def random(*shape, dtype=torch.bfloat16):
    return torch.randn(*shape, device=device).to(dtype)


# ---- limits: the table takes the best that anyone reached ----


@peers("gpu/limit", "eager: torch")
def limit(name):
    bytes, flops = (int(setup["cases"][f"gpu/limit/{name}"][key]) for key in ("bytes", "flops"))
    if name == "copy":
        a, b = torch.zeros(bytes // 2, dtype=torch.uint8, device=device), torch.zeros(bytes // 2, dtype=torch.uint8, device=device)
        return {"eager: torch": lambda: b.copy_(a)}
    if name == "read":
        a = random(bytes // 4, dtype=torch.float32)
        return {"eager: torch": lambda: a.sum()}
    if name == "upload":
        a, b = torch.ones(bytes, dtype=torch.uint8, pin_memory=on_gpu), torch.zeros(bytes, dtype=torch.uint8, device=device)
        return {"eager: torch": lambda: b.copy_(a, non_blocking=True)}
    side = round((flops / 2) ** (1 / 3))
    a, b = random(side, side, dtype=dtype_of(name)), random(side, side, dtype=dtype_of(name))
    return {"eager: torch": lambda: F.linear(a, b)}


# ---- copies ----


def take(axis):
    def build(shape):
        size, keep = shape.split("/keep")

        def make():
            matrix = random(*sizes(size))
            index = torch.randperm(matrix.shape[axis], device=device)[: int(keep)].sort().values
            out = torch.index_select(matrix, axis, index)
            return lambda: torch.index_select(matrix, axis, index, out=out)

        return {"eager: index_select": each_turn(make)}

    return build


peers("gpu/slice-rows", "eager: index_select")(take(0))
peers("gpu/slice-columns", "eager: index_select")(take(1))


@peers("gpu/upload", "eager: from the mapped file", "eager: through pinned memory")
def upload(shape):
    count = 2 * functools.reduce(lambda a, b: a * b, sizes(shape.split("/")[1]))  # bytes
    with tempfile.NamedTemporaryFile() as file:
        block = os.urandom(1 << 20)
        for begin in range(0, count, len(block)):
            file.write(block[: count - begin])
        file.flush()
        mapped = torch.from_file(file.name, shared=False, size=count, dtype=torch.uint8)
        mapped.sum()  # opened, and read once
    pinned, there = torch.empty(count, dtype=torch.uint8, pin_memory=on_gpu), torch.empty(count, dtype=torch.uint8, device=device)

    def through_pinned():
        pinned.copy_(mapped)
        there.copy_(pinned, non_blocking=True)
        synchronize()

    return {"eager: from the mapped file": lambda: there.copy_(mapped), "eager: through pinned memory": through_pinned}


# ---- KL ----


def kl_rows(p, q):
    """KL(P || Q) of each row of logits, in f32."""
    p, q = torch.log_softmax(p.float(), -1), torch.log_softmax(q.float(), -1)
    return (p.exp() * (p - q)).sum(-1)


@peers("gpu/kl", "eager: log_softmax", "compiled: log_softmax")
def kl(shape):
    dtype, size = shape.split("/")
    fast = compiled(kl_rows)

    def pair():
        p = 3 * torch.randn(*sizes(size), device=device)
        return p.to(dtype_of(dtype)), (p + 0.3 * torch.randn_like(p)).to(dtype_of(dtype))

    pairs = [pair() for _ in range(TURNS)]
    over = lambda kl: in_turns([functools.partial(kl, p, q) for p, q in pairs])
    return {"eager: log_softmax": over(kl_rows), "compiled: log_softmax": over(fast)}


@peers("gpu/kl-head", "eager: 32 tokens at a time", "compiled: 32 tokens at a time", "compiled: whole")
def kl_head(shape):
    """Logits of the reference and of all candidates by one product, for all tokens at once or for some."""
    dtype, size, tokens, candidates = shape.split("/")
    width, vocabulary = sizes(size)
    tokens, candidates = int(tokens.split()[0]), int(candidates.split()[0])
    w = (0.02 * torch.randn(vocabulary, width, device=device)).to(dtype_of(dtype))
    hidden = torch.randn(1, tokens, width, device=device) + 0.1 * torch.randn(1 + candidates, tokens, width, device=device)
    hidden = hidden.to(dtype_of(dtype))

    def run(kl, step):
        parts = []
        for part in hidden.split(step, dim=1):
            logits = F.linear(part, w)
            parts.append(kl(logits[:1], logits[1:]))
        return torch.cat(parts, dim=1)

    fast = compiled(kl_rows)
    return {
        "eager: 32 tokens at a time": lambda: run(kl_rows, 32),
        "compiled: 32 tokens at a time": lambda: run(fast, 32),
        "compiled: whole": lambda: run(fast, tokens),
    }


# ---- products ----


@peers("gpu/product", "eager: F.linear")
def product(shape):
    dtype, size = shape.split("/")
    rows, depth, outputs = sizes(size)
    a, w = random(rows, depth, dtype=dtype_of(dtype)), random(outputs, depth, dtype=dtype_of(dtype))
    return {"eager: F.linear": lambda: F.linear(a, w)}


# ---- whole models ----


@functools.lru_cache(1)
def make_model(name):
    """A Qwen2 model with random bf16 weights, which have biases of queries, keys and values as ours; made on the GPU."""
    import transformers

    shape = next(model for model in setup["models"] if model["name"] == name)
    config = transformers.Qwen2Config(
        hidden_size=shape["width"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["queryHeads"],
        num_key_value_heads=shape["kvHeads"],
        intermediate_size=shape["ffnWidth"],
        vocab_size=shape["vocabulary"],
        tie_word_embeddings=True,
    )
    with torch.device(device):
        return transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa").eval()


def some_texts(model, size):
    count, length = sizes(size)
    return torch.randint(0, min(40000, model.config.vocab_size), (count, length), device=device)


@peers("gpu/forward", "eager: transformers", "left on the GPU: transformers", needs="transformers")
def forward(shape):
    _, name, size, kind = shape.split("/")
    model = make_model(name)
    ids = some_texts(model, size)
    logits = lambda keep: model(ids, use_cache=False, logits_to_keep=keep).logits
    if kind == "states":
        states = lambda: model.model(ids, use_cache=False)
        return {"eager: transformers": states, "left on the GPU: transformers": states}
    # Ours come to the host's memory, so that theirs do too.
    keep = 1 if kind == "last logits" else 0
    return {"eager: transformers": lambda: logits(keep).cpu(), "left on the GPU: transformers": lambda: logits(keep)}


class CarefulSearch:
    """The search as a careful person writes it. Leaving out a layer changes nothing before it: that candidate is the state before the
    layer, sent on through the layers after it, and all candidates go through a layer together."""

    BATCH = 64  # texts that go through a layer at a time
    is_long = True

    def __init__(self, model, ids):
        self.model, self.decoder, self.ids = model, model.model, ids
        self.positions = torch.arange(ids.shape[1], device=device)[None]

    def advance(self, layer, states, rotary):
        for part in states.flatten(0, 1).split(self.BATCH):
            out = layer(part, attention_mask=None, position_ids=self.positions, position_embeddings=rotary, use_cache=False)
            part.copy_(out[0] if isinstance(out, tuple) else out)

    def __call__(self):
        embedded = self.decoder.embed_tokens(self.ids)
        rotary = self.decoder.rotary_emb(embedded, self.positions)
        states = embedded.new_empty(1 + len(self.decoder.layers), *embedded.shape)  # [the model's, then its candidates'; texts, length, width]
        states[0] = embedded
        for i, layer in enumerate(self.decoder.layers):
            states[i + 1] = states[0]
            self.advance(layer, states[: i + 1], rotary)
        logits = self.model.lm_head(self.decoder.norm(states[:, :, -1]))
        return kl_rows(logits[:1], logits[1:]).mean(1).tolist()


@peers("gpu/sweep", "careful: prefixes reused", needs="transformers")
def sweep(shape):
    _, name, size, _ = shape.split("/")
    model = make_model(name)
    return {"careful: prefixes reused": CarefulSearch(model, some_texts(model, size))}


serve(GpuClock())
