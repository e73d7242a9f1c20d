#!/usr/bin/env python3
"""Train tiny-coder, a 4.3 M parameter Qwen2 model of Python code, from a CPython `Lib` folder.

Everything in the folder above except README.md is written by this script:

    python train.py --out .. --work /tmp/tiny-coder            # timed: stops after --max-minutes
    python train.py --out .. --work /tmp/tiny-coder --steps N  # exactly N optimiser steps
    python train.py --out .. --init-only                      # all files, random weights

Stages
  1. Collect *.py of the standard library and split the files by the SHA-256 of their content
     (about 5 % held out, for measuring loss and for the calibration prompts).
  2. Train a byte-level BPE tokenizer (Qwen2's normaliser, pre-tokeniser and decoder) on the
     training files only.
  3. Write the sample files: corpus.jsonl (training files), heldout.jsonl and calibration.jsonl
     (held-out files; no file appears in two of the three).
  4. Train a Qwen2ForCausalLM on the training files (plain code, plus some documented functions
     as chat turns) with AdamW in bf16 autocast.
  5. Report the held-out loss before and after, and save the weights as bf16 safetensors.

The learning rate depends on `progress`, which runs from 0 to 1. With --steps it is step / steps;
without, it is the elapsed share of --max-minutes, so that a run on any machine ends with the rate
decayed to zero. training.json records the number of steps a timed run took; giving that number to
--steps repeats the amount of training but not the same bytes: the timed rate follows the wall
clock, so the two schedules differ where steps took unequally long, and results also depend on the
number of threads and on the CPU.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import json
import math
import platform
import random
import shutil
import sysconfig
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers
import torch
import torch.nn.functional as F
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

END_OF_TEXT, IM_START, IM_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL_TOKENS = [END_OF_TEXT, IM_START, IM_END]
VOCAB_SIZE = 6144
QWEN2_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
# Folders that are not library code: tests, third-party packages, tables and build output.
SKIPPED_FOLDERS = {"site-packages", "test", "tests", "idle_test", "encodings", "pydoc_data"}
SKIPPED_PREFIXES = ("config-", "_sysconfigdata", "__phello__")
CHAT_SHARE = 0.05  # of the documented functions of the training files
CORPUS_BYTES, HELDOUT_BYTES = 250_000, 60_000
PASSAGE_BYTES = 800  # of a record of heldout.jsonl: about 200 tokens, inside the trained context
CALIBRATION_PROMPTS, PROMPT_TOKENS = 64, 200
CONTEXT, BATCH = 256, 16
PEAK_LR, WEIGHT_DECAY, WARMUP = 3e-3, 0.1, 0.02


@dataclass(frozen=True)
class SourceFile:
    """One file of the standard library."""

    path: str
    text: str
    digest: int

    @property
    def size(self) -> int:
        return len(self.text.encode())


@dataclass(frozen=True)
class DocumentedFunction:
    """A function with a docstring, dedented to column 0."""

    name: str
    doc: str
    prompt: str  # the def line(s) and the docstring
    full: str  # the whole function


# ---------------------------------------------------------------- data


def collect(stdlib: Path) -> list[SourceFile]:
    """Read the UTF-8 *.py files of the standard library, each distinct content once."""
    files: dict[int, SourceFile] = {}
    for path in sorted(stdlib.rglob("*.py")):
        parts = path.relative_to(stdlib).parts
        if SKIPPED_FOLDERS & set(parts) or any(p.startswith(SKIPPED_PREFIXES) for p in parts):
            continue
        raw = path.read_bytes()
        try:
            text = raw.decode("utf-8").replace("\r\n", "\n")
        except UnicodeDecodeError:
            continue
        if text.strip():
            digest = int.from_bytes(hashlib.sha256(raw).digest()[:8], "big")
            files.setdefault(digest, SourceFile("/".join(parts), text, digest))
    return sorted(files.values(), key=lambda f: f.digest)


def split(files: list[SourceFile]) -> tuple[list[SourceFile], list[SourceFile], list[SourceFile]]:
    """Split by content hash into train (95 %), held-out loss and held-out prompts (2.5 % each)."""
    train = [f for f in files if f.digest % 40 > 1]
    loss = [f for f in files if f.digest % 40 == 0]
    prompts = [f for f in files if f.digest % 40 == 1]
    return train, loss, prompts


def plain_licence(file: SourceFile) -> bool:
    """True for a file without a notice of its own, that is, under CPython's licence alone."""
    text = file.text.lower()
    return not any(word in text for word in ("copyright", "(c)", "licensed", "license:"))


def take(files: list[SourceFile], budget: int, largest: int) -> list[SourceFile]:
    """The first files, in hash order, that fit a budget of bytes."""
    taken, total = [], 0
    for file in files:
        if plain_licence(file) and 500 <= file.size <= largest and total + file.size <= budget:
            taken.append(file)
            total += file.size
    return taken


def documented_functions(file: SourceFile) -> Iterator[DocumentedFunction]:
    """The functions of a file that have a docstring and a body."""
    try:
        tree = ast.parse(file.text)
    except SyntaxError:
        return
    lines = file.text.splitlines(keepends=True)
    for node in ast.walk(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or len(node.body) < 2:
            continue
        doc = ast.get_docstring(node)
        if not doc or node.body[0].end_lineno >= node.body[1].lineno or node.lineno >= node.body[0].lineno:
            continue
        full = "".join(lines[node.lineno - 1 : node.end_lineno])
        header = "".join(lines[node.lineno - 1 : node.body[0].end_lineno])
        full = textwrap.dedent(full)
        prompt = "".join(full.splitlines(keepends=True)[: header.count("\n")])
        if full.startswith(("def ", "async def ")):
            yield DocumentedFunction(node.name, doc, prompt, full)


def chat_messages(function: DocumentedFunction) -> list[dict[str, str]]:
    """A documented function as a request and its answer."""
    request = f"Write a Python function `{function.name}`.\n{function.doc}"
    return [
        {"role": "user", "content": request},
        {"role": "assistant", "content": f"```python\n{function.full.rstrip()}\n```"},
    ]


def calibration_prompts(files: list[SourceFile], tokenizer: Qwen2Tokenizer, seed: int) -> list[str]:
    """Function headers with docstrings; two of three go on into the body, cut at a random token."""
    rng = random.Random(seed)
    functions = [f for file in files if plain_licence(file) for f in documented_functions(file)]
    rng.shuffle(functions)
    prompts: list[str] = []
    for function in functions:
        header = len(tokenizer(function.prompt).input_ids)
        ids = tokenizer(function.full).input_ids
        if not 15 <= header <= PROMPT_TOKENS or header + 8 > len(ids):
            continue
        end = header if len(prompts) % 3 == 0 else rng.randrange(header, min(len(ids), PROMPT_TOKENS + 1))
        prompt = function.prompt if end == header else tokenizer.decode(ids[:end])
        if "\ufffd" not in prompt and len(tokenizer(prompt).input_ids) <= PROMPT_TOKENS:
            prompts.append(prompt)
        if len(prompts) == CALIBRATION_PROMPTS:
            break
    return prompts


def passages(text: str, limit: int = PASSAGE_BYTES) -> list[str]:
    """The text cut at line ends into passages of at most `limit` bytes (longer lines stay whole)."""
    cut = [""]
    for line in text.splitlines(keepends=True):
        if cut[-1] and len((cut[-1] + line).encode()) > limit:
            cut.append("")
        cut[-1] += line
    return cut


def write_jsonl(path: Path, field: str, values: list[str]) -> None:
    """One JSON object a line, each with the one field."""
    lines = [json.dumps({field: value}, ensure_ascii=False) + "\n" for value in values]
    path.write_text("".join(lines), encoding="utf-8")


# ---------------------------------------------------------------- tokenizer and model


def train_tokenizer(texts: list[str]) -> Qwen2Tokenizer:
    """Byte-level BPE as Qwen2 has it; the special tokens take the last three ids, as there."""
    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE - len(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    state = json.loads(bpe.to_str())["model"]
    tokenizer = Qwen2Tokenizer(
        vocab=state["vocab"],
        merges=[tuple(pair) for pair in state["merges"]],
        unk_token=None,
        bos_token=None,
        eos_token=None,
        pad_token=END_OF_TEXT,
        add_prefix_space=False,
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.add_special_tokens({"extra_special_tokens": [IM_START]})
    tokenizer.add_special_tokens({"eos_token": IM_END})
    assert tokenizer.convert_tokens_to_ids(SPECIAL_TOKENS) == list(range(VOCAB_SIZE - 3, VOCAB_SIZE))
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def make_model(tokenizer: Qwen2Tokenizer, seed: int) -> Qwen2ForCausalLM:
    """A Qwen2 model: QKV bias, grouped-query attention, input and output embeddings not tied."""
    config = Qwen2Config(
        vocab_size=VOCAB_SIZE,
        hidden_size=128,
        intermediate_size=576,
        num_hidden_layers=10,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        max_window_layers=10,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids(IM_END),
        pad_token_id=tokenizer.convert_tokens_to_ids(END_OF_TEXT),
    )
    torch.manual_seed(seed)
    model = Qwen2ForCausalLM(config)
    model.generation_config = GenerationConfig(
        eos_token_id=[tokenizer.convert_tokens_to_ids(t) for t in (IM_END, END_OF_TEXT)],
        pad_token_id=tokenizer.convert_tokens_to_ids(END_OF_TEXT),
        do_sample=False,
    )
    return model


def save_model(model: Qwen2ForCausalLM, folder: Path) -> None:
    """Save config, generation config and bf16 weights; the model itself stays in float32."""
    copy = Qwen2ForCausalLM(model.config)
    copy.load_state_dict(model.state_dict())
    copy.generation_config = model.generation_config
    folder.mkdir(parents=True, exist_ok=True)
    copy.to(torch.bfloat16).save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)


def token_stream(train: list[SourceFile], tokenizer: Qwen2Tokenizer, seed: int) -> torch.Tensor:
    """All training documents in a seeded order, each followed by <|endoftext|>."""
    rng = random.Random(seed)
    documents = [file.text for file in train]
    for file in train:
        for function in documented_functions(file):
            if rng.random() < CHAT_SHARE:
                documents.append(tokenizer.apply_chat_template(chat_messages(function), tokenize=False))
    rng.shuffle(documents)
    end = tokenizer.convert_tokens_to_ids(END_OF_TEXT)
    ids: list[int] = []
    for document in documents:
        ids += tokenizer(document).input_ids + [end]
    return torch.tensor(ids)


def batches(stream: torch.Tensor, seed: int) -> Iterator[torch.Tensor]:
    """Windows of CONTEXT + 1 tokens without end; each epoch has a new offset and a new order."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        offset = int(torch.randint(CONTEXT, (1,), generator=generator))
        starts = torch.arange(offset, len(stream) - CONTEXT, CONTEXT)
        starts = starts[torch.randperm(len(starts), generator=generator)]
        for rows in starts[: len(starts) // BATCH * BATCH].view(-1, BATCH):
            yield torch.stack([stream[s : s + CONTEXT + 1] for s in rows.tolist()])


@torch.no_grad()
def heldout_loss(model: Qwen2ForCausalLM, tokenizer: Qwen2Tokenizer, texts: list[str]) -> dict[str, float]:
    """Loss on whole documents, cut into windows of CONTEXT; <|endoftext|> precedes each document."""
    model.eval()
    nats, tokens = 0.0, 0
    start = tokenizer.convert_tokens_to_ids(END_OF_TEXT)
    for text in texts:
        ids = torch.tensor([start, *tokenizer(text).input_ids])
        for at in range(0, len(ids) - 1, CONTEXT):
            window = ids[at : at + CONTEXT + 1]
            logits = model(input_ids=window[None, :-1]).logits[0].float()
            nats += F.cross_entropy(logits, window[1:], reduction="sum").item()
            tokens += len(window) - 1
    model.train()
    size = sum(len(text.encode()) for text in texts)
    return {
        "nats_per_token": round(nats / tokens, 4),
        "nats_per_byte": round(nats / size, 4),
        "tokens": tokens,
        "bytes": size,
    }


# ---------------------------------------------------------------- training


def learning_rate(progress: float) -> float:
    """Linear warm-up, then cosine decay to zero."""
    if progress < WARMUP:
        return PEAK_LR * (progress + 1e-3) / (WARMUP + 1e-3)
    share = (min(progress, 1.0) - WARMUP) / (1 - WARMUP)
    return PEAK_LR * 0.5 * (1 + math.cos(math.pi * share))


def make_optimizer(model: Qwen2ForCausalLM) -> torch.optim.AdamW:
    """AdamW; the biases and the norms' weights are not decayed."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=PEAK_LR, betas=(0.9, 0.95), fused=True)


def train(
    model: Qwen2ForCausalLM,
    stream: torch.Tensor,
    args: argparse.Namespace,
    checkpoint: Callable[[], None],
) -> tuple[int, float]:
    """Optimise until --steps or --max-minutes; return the steps made and the minutes taken.

    `checkpoint` is called every five minutes.
    """
    started = saved = time.monotonic()
    optimizer = make_optimizer(model)

    def loss_of(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(input_ids=x, use_cache=False).logits
            return F.cross_entropy(logits.view(-1, VOCAB_SIZE).float(), y.reshape(-1))

    forward = loss_of if args.no_compile else torch.compile(loss_of)
    mean = 0.0
    for step, batch in enumerate(batches(stream, args.seed)):
        elapsed = time.monotonic() - started
        progress = step / args.steps if args.steps else elapsed / (60 * args.max_minutes)
        if progress >= 1:
            return step, elapsed / 60
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(progress)
        loss = forward(batch[:, :-1], batch[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        mean = loss.item() if step == 0 else 0.98 * mean + 0.02 * loss.item()
        if step % 50 == 0:
            minutes = elapsed / 60
            print(f"step {step} progress {progress:.3f} loss {mean:.4f} minutes {minutes:.1f}", flush=True)
        if time.monotonic() - saved > 300:
            saved = time.monotonic()
            checkpoint()
    raise AssertionError("batches() never ends")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train tiny-coder from a CPython Lib folder.")
    parser.add_argument("--stdlib", type=Path, default=Path(sysconfig.get_path("stdlib")))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--work", type=Path, help="folder for a checkpoint every five minutes")
    parser.add_argument("--max-minutes", type=float, default=55)
    parser.add_argument("--steps", type=int, help="exact number of steps, in place of --max-minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--init-only", action="store_true", help="write every file, with random weights")
    parser.add_argument("--no-compile", action="store_true", help="do not use torch.compile")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    transformers.logging.set_verbosity_error()  # whole files are longer than model_max_length
    transformers.logging.disable_progress_bar()
    args.out.mkdir(parents=True, exist_ok=True)

    files = collect(args.stdlib)
    train_files, loss_files, prompt_files = split(files)
    tokenizer = train_tokenizer([f.text for f in train_files])
    tokenizer.save_pretrained(args.out)

    corpus = [f.text for f in take(train_files, CORPUS_BYTES, 30_000)]
    measured = take(loss_files, HELDOUT_BYTES, 20_000)
    heldout = [f.text for f in measured]
    prompt_files += [f for f in loss_files if f not in measured]
    data, training = args.out / "data", args.out / "training"
    data.mkdir(exist_ok=True)
    training.mkdir(exist_ok=True)
    write_jsonl(data / "corpus.jsonl", "content", corpus)
    write_jsonl(data / "heldout.jsonl", "content", [part for text in heldout for part in passages(text)])
    prompts = calibration_prompts(prompt_files, tokenizer, args.seed)
    write_jsonl(data / "calibration.jsonl", "prompt", prompts)
    with contextlib.suppress(FileNotFoundError, shutil.SameFileError):
        shutil.copyfile(args.stdlib / "LICENSE.txt", args.out / "LICENSE")

    model = make_model(tokenizer, args.seed)
    record: dict[str, Any] = {
        "seed": args.seed,
        "parameters": sum(p.numel() for p in model.parameters()),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
        },
        "data": {
            "source": f"CPython {platform.python_version()} standard library (Lib/**/*.py)",
            "skipped_folders": sorted(SKIPPED_FOLDERS),
            "files": len(files),
            "bytes": sum(f.size for f in files),
            "train_files": len(train_files),
            "train_bytes": sum(f.size for f in train_files),
            "heldout_files": len(files) - len(train_files),
            "corpus_files": len(corpus),
            "corpus_distinct_tokens": len({i for text in corpus for i in tokenizer(text).input_ids}),
        },
        "heldout_loss_start": heldout_loss(model, tokenizer, heldout),
    }
    if args.init_only:
        save_model(model, args.out)
    else:
        stream = token_stream(train_files, tokenizer, args.seed)
        record["data"]["train_tokens"] = len(stream)

        def checkpoint() -> None:
            print(f"held-out {heldout_loss(model, tokenizer, heldout)}", flush=True)
            if args.work:
                save_model(model, args.work)

        steps, minutes = train(model, stream, args, checkpoint)
        save_model(model, args.out)
        final = Qwen2ForCausalLM.from_pretrained(args.out, dtype=torch.float32)
        record |= {
            "steps": steps,
            "schedule": "steps" if args.steps else f"{args.max_minutes:g} minutes",
            "context": CONTEXT,
            "batch": BATCH,
            "peak_learning_rate": PEAK_LR,
            "tokens_seen": steps * BATCH * CONTEXT,
            "wall_minutes": round(minutes, 1),
            "threads": args.threads,
            "heldout_loss_end": heldout_loss(final, tokenizer, heldout),
        }
    (training / "training.json").write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
