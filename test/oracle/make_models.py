"""Writes tiny random checkpoints of every family, and beside each what transformers computes on it.

usage: make_models.py [name ...]        (default: all; output: ../fixtures/models/<name>/)

reference.safetensors, all float32 except the ids. T tokens, D width, F FFN width, V vocabulary; case is a, b or one:
  input_ids.<case>    int64 [1, T], T = 23, 9, 1
  logits.<case>       [T, V]
  logits_bf16.<case>  [T, V] the same by transformers in bfloat16 (bf16 checkpoint only)
  hidden.<case>.<i>   [T, D] residual stream: 0 after the embedding, i + 1 after layer i, before the final norm
  kl.<case>.<i>       [T] KL(full || layer i left out), computed in float64 from the float32 logits, nats
  loss.<case>         [1] mean next-token loss, nats (not for `one`: it predicts nothing)
  act.a.<i>           [T, F] input of layer i's down_proj
  bi.<i>, bi_last.<i> [1] case a: 1 - mean over tokens, or at the last token, of cosine(input, output) of layer i
"""
import json
import shutil
import sys
import zlib
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

from masked import KeptLayers, divergence, load_model, logits_of

OUT = Path(__file__).resolve().parent.parent / "fixtures" / "models"
LENGTHS = {"a": 23, "b": 9, "one": 1}


def sizes(vocabulary, width, ffn, layers, heads, kv_heads, **more):
    return {
        "vocab_size": vocabulary, "hidden_size": width, "intermediate_size": ffn, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": kv_heads, "max_position_embeddings": 128,
        "bos_token_id": 1, "eos_token_id": 2, **more,
    }


def rope(theta, kind="default", **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": theta, **more}}


# llama3: with these numbers the rotary pairs fall into all three bands (kept, blended, divided by the factor).
# old_config: config.json is rewritten as transformers 4 wrote it (rope_theta, rope_scaling, torch_dtype).
MODELS = {
    "qwen2-tied": {
        "family": "qwen2",
        "config": sizes(97, 24, 35, 3, 4, 2, tie_word_embeddings=True, eos_token_id=[2, 5], pad_token_id=0, **rope(1e6)),
    },
    "qwen2-untied-window": {
        "family": "qwen2",
        "config": sizes(97, 20, 31, 4, 2, 1, tie_word_embeddings=False, use_sliding_window=True, sliding_window=8,
                        max_window_layers=1, **rope(1e4)),
    },
    "llama-untied-bias": {
        "family": "llama",
        "config": sizes(97, 20, 43, 3, 2, 2, attention_bias=True, mlp_bias=True, **rope(1e4)),
    },
    "llama3-rope": {
        "family": "llama",
        "config": sizes(97, 20, 37, 3, 4, 2, head_dim=10, rms_norm_eps=1e-5,
                        **rope(100.0, "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=2.0,
                               original_max_position_embeddings=16)),
    },
    "llama-linear-rope": {
        "family": "llama",
        "old_config": True,
        "config": sizes(113, 24, 33, 3, 4, 2, tie_word_embeddings=True, pad_token_id=0,
                        **rope(1e4, "linear", factor=4.0)),
    },
    "mistral-window": {
        "family": "mistral",
        "old_config": True,
        "config": sizes(97, 20, 38, 3, 4, 1, head_dim=8, sliding_window=8, **rope(1e4)),
    },
    "qwen3-tied": {
        "family": "qwen3",
        "config": sizes(113, 24, 33, 3, 2, 1, head_dim=16, tie_word_embeddings=True, **rope(1e6)),
    },
    "qwen3-untied-f16": {
        "family": "qwen3",
        "dtype": torch.float16,
        "config": sizes(97, 32, 52, 3, 4, 2, head_dim=12, tie_word_embeddings=False, **rope(1e6)),
    },
    "llama-bf16-sharded": {
        "family": "llama",
        "dtype": torch.bfloat16,
        "shard_size": "20KB",
        "config": sizes(97, 32, 65, 3, 4, 1, rms_norm_eps=1e-5, **rope(1e4)),
    },
}


def randomize(model, generator):
    """Weights wide enough that attention is far from uniform; norms near 1; biases small, but there."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        is_norm, is_bias = name.endswith("norm.weight"), name.endswith("bias")
        parameter.data = 1 + 0.05 * noise if is_norm else (0.05 if is_bias else 0.2) * noise
    model.tie_weights()


def to_old_config(path):
    config = json.loads(path.read_text())
    parameters = config.pop("rope_parameters")
    config["rope_theta"] = parameters.pop("rope_theta")
    kind = parameters.pop("rope_type")
    config["rope_scaling"] = None if kind == "default" else {"type": kind, **parameters}
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.40.0"
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def write_checkpoint(folder, model_spec, generator):
    config = AutoConfig.for_model(model_spec["family"], **model_spec["config"])
    model = AutoModelForCausalLM.from_config(config)
    randomize(model, generator)
    shutil.rmtree(folder, ignore_errors=True)
    model.to(model_spec.get("dtype", torch.float32)).save_pretrained(
        folder, max_shard_size=model_spec.get("shard_size", "1GB"))
    if model_spec.get("old_config"):
        to_old_config(folder / "config.json")


def trace(model, ids):
    """Logits [T, V], the residual stream at L + 1 places [T, D], and each FFN's activations [T, F]."""
    hidden, activations, handles = [], [], []
    layers = model.model.layers
    handles.append(layers[0].register_forward_pre_hook(lambda _, given: hidden.append(given[0][0].clone())))
    for layer in layers:
        handles.append(layer.register_forward_hook(lambda _, given, out: hidden.append(out[0].clone())))
        handles.append(layer.mlp.down_proj.register_forward_pre_hook(
            lambda _, given: activations.append(given[0][0].clone())))
    logits = logits_of(model, ids)
    for handle in handles:
        handle.remove()
    return logits, hidden, activations


def reference_of(model, ids_by_case):
    count, out = len(model.model.layers), {}
    for case, ids in ids_by_case.items():
        logits, hidden, activations = trace(model, ids)
        assert len(hidden) == count + 1 and hidden[0].shape[0] == ids.shape[1], [list(h.shape) for h in hidden]
        # the last residual state must be the one that the final norm reads
        assert torch.equal(model.lm_head(model.model.norm(hidden[-1])), logits)
        out[f"input_ids.{case}"], out[f"logits.{case}"] = ids, logits
        out.update({f"hidden.{case}.{i}": state for i, state in enumerate(hidden)})
        for i in range(count):
            with KeptLayers(model, [j for j in range(count) if j != i]):
                out[f"kl.{case}.{i}"] = divergence(logits, logits_of(model, ids)).float()
        if ids.shape[1] > 1:
            loss = torch.nn.functional.cross_entropy(logits[:-1].double(), ids[0, 1:])
            out[f"loss.{case}"] = loss.float().reshape(1)
        if case == "a":
            out.update({f"act.a.{i}": activation for i, activation in enumerate(activations)})
            for i in range(count):
                cosine = torch.cosine_similarity(hidden[i].double(), hidden[i + 1].double(), dim=-1)
                out[f"bi.{i}"] = (1 - cosine.mean()).float().reshape(1)
                out[f"bi_last.{i}"] = (1 - cosine[-1]).float().reshape(1)
    return out


def make(name):
    model_spec, folder = MODELS[name], OUT / name
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    write_checkpoint(folder, model_spec, generator)
    vocabulary = model_spec["config"]["vocab_size"]
    ids = {case: torch.randint(0, vocabulary, (1, length), generator=generator) for case, length in LENGTHS.items()}
    with torch.no_grad():
        out = reference_of(load_model(folder)[0], ids)
        if model_spec.get("dtype") is torch.bfloat16:
            rounded, _ = load_model(folder, torch.bfloat16)
            out.update({f"logits_bf16.{case}": logits_of(rounded, each).float() for case, each in ids.items()})
    made_with = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__, "attention": "eager"}
    # one metadata key: safetensors writes several in random order
    save_file({key: value.detach().contiguous().clone() for key, value in out.items()},
              folder / "reference.safetensors", metadata={"made_with": json.dumps(made_with)})
    weights = [path.stat().st_size for path in sorted(folder.glob("model*.safetensors"))]
    print(json.dumps({
        "name": name, "weight_bytes": sum(weights), "shards": len(weights),
        "reference_bytes": (folder / "reference.safetensors").stat().st_size,
        "mean_kl": [round(out[f"kl.a.{i}"].mean().item(), 4) for i in range(model_spec["config"]["num_hidden_layers"])],
    }))


if __name__ == "__main__":
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)  # the same sums in the same order on every machine
    for each in sys.argv[1:] or MODELS:
        make(each)
