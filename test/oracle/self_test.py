"""Tests check_pruned.py: good pruned copies must pass, and each of a list of wrong ones must fail.

usage: self_test.py        (the copies are made with torch alone, from fixtures and a tokenizer trained here)
"""
import json
import shutil
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from check_pruned import check, expand

MODELS = Path(__file__).resolve().parent.parent / "fixtures" / "models"
TEMPLATE = "{% for m in messages %}<|start|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"


def prune(source, out, plan):
    """The straightforward pruned copy: one file, config edited by hand."""
    config = json.loads((source / "config.json").read_text())
    tokens, layers = expand(plan["vocabulary"]["keep"]), plan["layers"]["keep"]
    neurons = [expand(each) for each in plan["ffn"]["keep"]]
    tensors, cut = {}, {}
    for path in source.glob("model*.safetensors"):
        tensors |= load_file(path)
    for name, tensor in tensors.items():
        if not name.startswith("model.layers."):
            cut[name] = tensor if name == "model.norm.weight" else tensor[tokens]
            continue
        old, rest = name.removeprefix("model.layers.").split(".", 1)
        if int(old) not in layers:
            continue
        new = layers.index(int(old))
        if "gate_proj" in rest or "up_proj" in rest:
            tensor = tensor[neurons[new]]
        elif rest == "mlp.down_proj.weight":
            tensor = tensor[:, neurons[new]]
        cut[f"model.layers.{new}.{rest}"] = tensor
    shutil.copytree(source, out, ignore=shutil.ignore_patterns("*.safetensors*"), dirs_exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in cut.items()}, out / "model.safetensors", metadata={"format": "pt"})
    if "layer_types" in config:
        config["layer_types"] = [config["layer_types"][i] for i in layers]
    config |= {"vocab_size": len(tokens), "num_hidden_layers": len(layers), "intermediate_size": len(neurons[0])}
    place = {old: new for new, old in enumerate(tokens)}
    for name, values in (("config.json", config), ("generation_config.json", json.loads((out / "generation_config.json").read_text()))):
        for key, value in values.items():
            if key.endswith("_token_id") and value is not None:
                values[key] = [place[i] for i in value] if isinstance(value, list) else place[value]
        (out / name).write_text(json.dumps(values))


def add_tokenizer(folder, texts, size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<|start|>", "<|end|>"], show_progress=False))
    whole = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|start|>")
    whole.chat_template = TEMPLATE
    whole.save_pretrained(folder)
    return whole


def tokens_to_keep(tokenizer, texts, merges):
    """Used ids closed under merges, all bytes and specials, as ranges."""
    vocabulary = tokenizer.get_vocab()
    keep = {piece for piece in vocabulary if len(piece) == 1 or piece.startswith("<|")}
    chat = tokenizer.apply_chat_template([{"role": "user", "content": ""}], tokenize=False, add_generation_prompt=True)
    for text in [*texts, chat, "system\nassistant\n"]:
        keep |= set(tokenizer.tokenize(text))
    for left, right in reversed(merges):
        if left + right in keep:
            keep |= {left, right}
    return [[i, i + 1] for i in sorted(vocabulary[piece] for piece in keep)]


def prune_tokenizer(folder, ranges):
    """Drops pieces and their merges, and renumbers."""
    path = folder / "tokenizer.json"
    whole, keep = json.loads(path.read_text()), expand(ranges)
    place = {old: new for new, old in enumerate(keep)}
    model = whole["model"]
    model["vocab"] = {piece: place[i] for piece, i in model["vocab"].items() if i in place}
    model["merges"] = [merge for merge in model["merges"] if all(piece in model["vocab"] for piece in (*merge, "".join(merge)))]
    for token in whole["added_tokens"]:
        token["id"] = place[token["id"]]
    path.write_text(json.dumps(whole))


def edit_json(path, change):
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def edit_tensor(folder, name, change):
    with safe_open(folder / "model.safetensors", "pt") as stored:
        tensors = {key: stored.get_tensor(key) for key in stored.keys()}
    change(tensors, name)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def nudge(tensors, name):
    tensors[name][0] += 1e-2


def swap(value, a, b):
    value[a], value[b] = value[b], value[a]


def swap_vocabulary(value):
    pieces = list(value["model"]["vocab"])
    swap(value["model"]["vocab"], pieces[-1], pieces[-2])


PLAIN_MISTAKES = {
    "a nudged weight": lambda f: edit_tensor(f, "model.layers.1.mlp.down_proj.weight", nudge),
    "NaN weights": lambda f: edit_tensor(f, "model.norm.weight", lambda all, name: all[name].fill_(torch.nan)),
    "a missing tensor": lambda f: edit_tensor(f, "model.layers.1.mlp.up_proj.weight", lambda all, name: all.pop(name)),
    "an unexpected tensor": lambda f: edit_tensor(f, "model.layers.9.mlp.up_proj.weight", lambda all, name: all.update({name: torch.ones(2)})),
    "another dtype": lambda f: edit_tensor(f, "model.norm.weight", lambda all, name: all.update({name: all[name].double()})),
    "a stale layer count": lambda f: edit_json(f / "config.json", lambda c: c.update(num_hidden_layers=1)),
    "a stale eos id": lambda f: edit_json(f / "generation_config.json", lambda c: c.update(eos_token_id=7)),
    "a stale bos id": lambda f: edit_json(f / "config.json", lambda c: c.update(bos_token_id=7)),
    "another rope": lambda f: edit_json(f / "config.json", lambda c: c.update(rope_parameters={"rope_type": "default", "rope_theta": 9.0})),
    "a truncated file": lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-4]),
}
WINDOW_MISTAKES = {
    "stale layer types": lambda f: edit_json(f / "config.json", lambda c: c.update(layer_types=c["layer_types"][::-1])),
}
TOKENIZER_MISTAKES = {
    "swapped pieces": lambda f: edit_json(f / "tokenizer.json", swap_vocabulary),
    "a lost merge": lambda f: edit_json(f / "tokenizer.json", lambda t: t["model"]["merges"].pop(0)),
    "swapped merges": lambda f: edit_json(f / "tokenizer.json", lambda t: swap(t["model"]["merges"], 0, 60)),
    "another template": lambda f: (f / "chat_template.jinja").write_text(TEMPLATE + "!"),
    "another eos": lambda f: edit_json(f / "tokenizer_config.json", lambda c: c.update(eos_token="<|start|>")),
}


def cases(root):
    """(name, source, plan, texts file or None, mistakes)"""
    vocabulary = {"keep": [[0, 6], [9, 40], [41, 42], [50, 97]]}
    neurons = [[[0, 5], [7, 30]], [[2, 30]]]
    yield "llama3-rope", MODELS / "llama3-rope", {"vocabulary": vocabulary, "layers": {"keep": [0, 2]}, "ffn": {"keep": neurons}}, None, PLAIN_MISTAKES
    yield "llama-bf16-sharded", MODELS / "llama-bf16-sharded", {"vocabulary": vocabulary, "layers": {"keep": [1, 2]}, "ffn": {"keep": neurons}}, None, {}
    yield "mistral-window", MODELS / "mistral-window", {"vocabulary": vocabulary, "layers": {"keep": [0, 2]}, "ffn": {"keep": neurons}}, None, {}
    yield "qwen2-untied-window", MODELS / "qwen2-untied-window", {
        "vocabulary": vocabulary, "layers": {"keep": [0, 3]}, "ffn": {"keep": neurons}}, None, WINDOW_MISTAKES
    source = root / "qwen2-with-tokenizer"
    texts = [(Path(__file__).parent / name).read_text() for name in ("masked.py", "check_tokenizer.py")]
    config = transformers.AutoConfig.for_model("qwen2", vocab_size=640, hidden_size=12, intermediate_size=40, num_hidden_layers=3, num_attention_heads=2,
                                               num_key_value_heads=1, tie_word_embeddings=True, eos_token_id=[1, 0], pad_token_id=0)
    transformers.set_seed(1)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(source)
    tokenizer = add_tokenizer(source, texts, 600)
    merges = [tuple(merge) for merge in json.loads((source / "tokenizer.json").read_text())["model"]["merges"]]
    keep = tokens_to_keep(tokenizer, texts[0].splitlines(), merges)
    (root / "texts.jsonl").write_text("\n".join(json.dumps({"text": line}) for line in texts[0].splitlines()))
    yield "qwen2 with a tokenizer", source, {"vocabulary": {"keep": keep}, "layers": {"keep": [0, 2]}, "ffn": {"keep": neurons}}, root / "texts.jsonl", TOKENIZER_MISTAKES


def attempt(*arguments):
    try:
        return check(*arguments)
    except Exception as error:
        return {"failures": [f"{type(error).__name__}: {error}"]}


def main():
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, source, plan, texts, mistakes in cases(Path(folder)):
            for mistake, make in {"none": lambda _: None, **mistakes}.items():
                out = Path(folder) / "pruned"
                shutil.rmtree(out, ignore_errors=True)
                prune(source, out, plan)
                if texts:
                    prune_tokenizer(out, plan["vocabulary"]["keep"])
                plan_file = Path(folder) / "plan.json"
                plan_file.write_text(json.dumps(plan))
                make(out)
                result = attempt(source, out, plan_file, texts)
                right = bool(result["failures"]) == (mistake != "none")
                wrong += not right
                print("ok  " if right else "FAIL", name, "| mistake:", mistake, "|", result["failures"][:2] if result["failures"] else result)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
