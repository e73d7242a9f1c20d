"""Checks with torch and transformers alone that a pruned checkpoint is the masked original.

usage: check_pruned.py SOURCE PRUNED PLAN.json [--texts FILE.jsonl] [--chat-content TEXT] [--tolerance 1e-5]

PLAN.json, of which only this is read (anything may be null, which means that all is kept):
  vocabulary.keep  half-open ranges [begin, end) of the original's token ids
  layers.keep      indices of kept layers
  ffn.keep         for each kept layer, half-open ranges of neurons
--texts: one JSON string or object a line; its strings must be encoded to the same tokens by both tokenizers.

Prints one JSON line; exit status 0 only if `failures` is empty.
"""
import argparse
import json
import re
import sys
from collections import Counter
from pathlib import Path

import torch
import transformers
from safetensors import safe_open

from check_tokenizer import check_tokenizer, has_tokenizer
from masked import KeptLayers, load_model, logits_of, zero_neurons

LENGTHS = (1, 2, 7, 19, 40)


def expand(ranges):
    return [i for begin, end in ranges for i in range(begin, end)]


def read_plan(path, config):
    """The three keep lists as plain indices of the original."""
    document = json.loads(Path(path).read_text())
    given = {part: (document.get(part) or {}).get("keep") for part in ("vocabulary", "layers", "ffn")}
    every = {"tokens": config.vocab_size, "layers": config.num_hidden_layers, "neurons": config.intermediate_size}
    tokens = list(range(every["tokens"])) if given["vocabulary"] is None else expand(given["vocabulary"])
    layers = list(range(every["layers"])) if given["layers"] is None else list(given["layers"])
    neurons = [list(range(every["neurons"])) for _ in layers] if given["ffn"] is None else [expand(each) for each in given["ffn"]]
    for name, keep, size in [("tokens", tokens, every["tokens"]), ("layers", layers, every["layers"]),
                             *((f"neurons of kept layer {i}", keep, every["neurons"]) for i, keep in enumerate(neurons))]:
        ascending = all(a < b for a, b in zip(keep, keep[1:]))
        assert keep and ascending and 0 <= keep[0] and keep[-1] < size, f"the plan's {name} are not ascending ids below {size}"
    assert len(neurons) == len(layers), f"the plan has neurons for {len(neurons)} layers, but keeps {len(layers)}"
    return tokens, layers, neurons


def stored_tensors(folder):
    """name -> (shape, dtype) over all shards, and what is wrong with the set of files."""
    tensors, failures, index_file = {}, [], folder / "model.safetensors.index.json"
    index = json.loads(index_file.read_text()) if index_file.exists() else None
    names = sorted(set(index["weight_map"].values())) if index else ["model.safetensors"]
    for name in names:
        with safe_open(folder / name, "pt") as shard:
            for key in shard.keys():
                if key in tensors:
                    failures.append(f"{key} is stored twice")
                if index and index["weight_map"].get(key) != name:
                    failures.append(f"{key} is in {name}, the index says {index['weight_map'].get(key)}")
                view = shard.get_slice(key)
                tensors[key] = (view.get_shape(), view.get_dtype())
    stray = {path.name for path in folder.glob("*.safetensors")} - set(names)
    if index and set(index["weight_map"]) != set(tensors):
        failures.append("the index names tensors that no shard has")
    return tensors, failures + [f"{name} belongs to nothing" for name in sorted(stray)]


def check_files(source, pruned, layers, config):
    """Tensor names, dtypes and shapes of the pruned files against the plan and its own config."""
    before, _ = stored_tensors(source)
    after, failures = stored_tensors(pruned)
    place = {old: new for new, old in enumerate(layers)}
    expected = {}
    for name, (_, dtype) in before.items():
        match = re.search(r"\.layers\.(\d+)\.", name)
        if match and int(match[1]) not in place:
            continue
        renamed = name if not match else name.replace(match[0], f".layers.{place[int(match[1])]}.", 1)
        expected[renamed] = dtype
    optional = {"lm_head.weight"} if config.tie_word_embeddings else set()
    if odd := (set(expected) ^ set(after)) - optional:
        failures.append(f"tensors missing or too many: {sorted(odd)[:6]}")
    failures += [f"{name}: dtype was {dtype}, is {after[name][1]}" for name, dtype in expected.items()
                 if name in after and after[name][1] != dtype]
    width, ffn = config.hidden_size, config.intermediate_size
    shapes = {"embed_tokens.weight": [config.vocab_size, width], "lm_head.weight": [config.vocab_size, width],
              "gate_proj.weight": [ffn, width], "up_proj.weight": [ffn, width], "down_proj.weight": [width, ffn],
              "gate_proj.bias": [ffn], "up_proj.bias": [ffn], "down_proj.bias": [width]}
    failures += [f"{name} has shape {shape}, the config says {should}" for name, (shape, _) in after.items()
                 for ending, should in shapes.items() if name.endswith(ending) and list(shape) != should]
    return failures


def check_config(source, pruned, tokens, layers, neurons):
    """Sizes and per-layer lists of the loaded configs."""
    kinds = getattr(source, "layer_types", None)
    expected = {"model_type": source.model_type, "vocab_size": len(tokens), "num_hidden_layers": len(layers),
                "intermediate_size": len(neurons[0])} | ({"layer_types": [kinds[i] for i in layers]} if kinds else {})
    same = ("hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim", "tie_word_embeddings", "rms_norm_eps",
            "rope_parameters", "sliding_window", "hidden_act", "max_position_embeddings")
    expected |= {key: getattr(source, key) for key in same if hasattr(source, key)}
    if kinds and "sliding_attention" not in expected["layer_types"]:
        expected.pop("sliding_window", None)  # no layer uses it any more, so it may go
    return [f"config.{key}: expected {value}, got {getattr(pruned, key, None)}" for key, value in expected.items()
            if getattr(pruned, key, None) != value]


TOKEN_LISTS = ("suppress_tokens", "begin_suppress_tokens", "bad_words_ids")


def check_token_ids(source, pruned, tokens):
    """Every token id in config.json and generation_config.json names the same token as before."""
    place, failures = {old: new for new, old in enumerate(tokens)}, []

    def moved(value):
        if isinstance(value, list):
            return [moved(each) for each in value]
        return place.get(value, f"dropped {value}") if isinstance(value, int) else value

    for name in ("config.json", "generation_config.json"):
        if (source / name).exists() != (pruned / name).exists():
            failures.append(f"{name} is in one of the two folders only")
        if not (source / name).exists() or not (pruned / name).exists():
            continue
        before, after = (json.loads((folder / name).read_text()) for folder in (source, pruned))
        for key in sorted(set(before) | set(after)):
            if key.endswith("_token_id") and moved(before.get(key)) != after.get(key):
                failures.append(f"{name} {key}: {before.get(key)} should be {moved(before.get(key))}, is {after.get(key)}")
            if key in TOKEN_LISTS and before.get(key):
                stay = [each for each in before[key] if all(i in place for i in (each if isinstance(each, list) else [each]))]
                if moved(stay) != (after.get(key) or []):
                    failures.append(f"{name} {key}: expected {moved(stay)}, got {after.get(key)}")
    if (pruned / "generation_config.json").exists():
        transformers.GenerationConfig.from_pretrained(pruned)
    return failures


def compare_logits(original, candidate, tokens, layers, neurons):
    """Differences over random kept token ids of several lengths. The original is masked in place."""
    handles = [zero_neurons(original.model.layers[old], keep) for old, keep in zip(layers, neurons)]
    generator, chosen = torch.Generator().manual_seed(5), torch.tensor(tokens)
    worst, squares, total, same_top, positions = 0.0, 0.0, 0.0, 0, 0
    with KeptLayers(original, layers):
        for length in (min(length, original.config.max_position_embeddings) for length in LENGTHS):
            ids = torch.randint(0, len(tokens), (1, length), generator=generator)
            expected = logits_of(original, chosen[ids])[:, chosen].double()
            difference = logits_of(candidate, ids).double() - expected
            worst = max(worst, difference.abs().max().item()) if difference.isfinite().all() else float("nan")
            squares, total = squares + difference.square().sum().item(), total + expected.square().sum().item()
            same_top += (expected.argmax(-1) == (expected + difference).argmax(-1)).sum().item()
            positions += length
    for handle in handles:
        handle.remove()
    return {"max_difference": worst, "relative_error": (squares / total) ** 0.5, "positions": positions, "same_top": same_top}


def check(source, pruned, plan, texts=None, chat_content="", tolerance=1e-5):
    source, pruned = Path(source), Path(pruned)
    original, _ = load_model(source)
    tokens, layers, neurons = read_plan(plan, original.config)
    candidate, info = load_model(pruned)
    failures = [f"from_pretrained: {key} {sorted(map(str, value))[:6]}" for key, value in info.items() if value]
    failures += check_config(original.config, candidate.config, tokens, layers, neurons)
    failures += check_files(source, pruned, layers, candidate.config)
    failures += check_token_ids(source, pruned, tokens)
    result = {"tokens": len(tokens), "layers": len(layers), "neurons": Counter(map(len, neurons)).most_common(1)[0][0]}
    if candidate.config.vocab_size == len(tokens):
        result |= compare_logits(original, candidate, tokens, layers, neurons)
        if not result["relative_error"] <= tolerance:  # a NaN fails too
            failures.append(f"logits differ: relative error {result['relative_error']:.3g}")
    if has_tokenizer(source) or has_tokenizer(pruned):
        more, tokenizer_failures = check_tokenizer(source, pruned, tokens, texts, chat_content)
        result, failures = result | more, failures + tokenizer_failures
    return result | {"failures": failures}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("pruned")
    parser.add_argument("plan")
    parser.add_argument("--texts")
    parser.add_argument("--chat-content", default="")
    parser.add_argument("--tolerance", type=float, default=1e-5)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        result = check(**vars(parser.parse_args()))
    except Exception as error:  # whatever stops transformers from opening it is a finding
        result = {"failures": [f"{type(error).__name__}: {error}"]}
    print(json.dumps(result))
    sys.exit(1 if result["failures"] else 0)


if __name__ == "__main__":
    main()
