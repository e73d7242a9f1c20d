"""Writes one folder for each kind of damage, from a good checkpoint in one file.

usage: damage.py SOURCE OUT        (SOURCE holds model.safetensors, config.json and, better, a tokenizer; OUT must not exist)

OUT/manifest.json is a list of {folder, kind}. Undamaged files are hard links where the disk allows it, so OUT stays small.
Needs the standard library only.
"""
import json
import os
import random
import re
import shutil
import struct
import sys
from pathlib import Path

MODEL = "model.safetensors"
NAN = {"F32": b"\x00\x00\xc0\x7f", "F16": b"\x00\x7e", "BF16": b"\xc0\x7f"}


def read_tensors(path):
    """(header without metadata, data section)"""
    whole = path.read_bytes()
    length = struct.unpack("<Q", whole[:8])[0]
    header = json.loads(whole[8:8 + length])
    header.pop("__metadata__", None)
    return header, whole[8 + length:]


def pack(header, data):
    """A file with any header, given as a dictionary or as JSON text, right or wrong."""
    text = (header if isinstance(header, str) else json.dumps(header, separators=(",", ":"))).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def pick(header, ending):
    return next(name for name in header if name.endswith(ending))


def with_tensor(header, name, **changes):
    return {**header, name: {**header[name], **changes}}


def without(header, data, name):
    """The file without one tensor, offsets closed up: well-formed, but incomplete."""
    return subset(header, data, [each for each in header if each != name])


def subset(header, data, names):
    kept, parts, end = {}, [], 0
    for name in names:
        begin, stop = header[name]["data_offsets"]
        parts.append(data[begin:stop])
        kept[name] = {**header[name], "data_offsets": [end, end + stop - begin]}
        end += stop - begin
    return pack(kept, b"".join(parts))


# --- damage to the weights file: (header, data, whole file) -> bytes -----------------------------------------------

def overlap(header, data, _):
    by_place = sorted(header, key=lambda name: header[name]["data_offsets"][0])
    second = by_place[1]
    begin, end = header[second]["data_offsets"]
    return pack(with_tensor(header, second, data_offsets=[begin - 8, end - 8]), data)


def gap(header, data, _):
    """Eight unused bytes before the last tensor."""
    last = max(header, key=lambda name: header[name]["data_offsets"][0])
    begin, end = header[last]["data_offsets"]
    return pack(with_tensor(header, last, data_offsets=[begin + 8, end + 8]), data[:begin] + bytes(8) + data[begin:])


def past_end(header, data, _):
    """The last tensor's shape and offsets agree, but reach far beyond the file."""
    last = max(header, key=lambda name: header[name]["data_offsets"][1])
    begin, _end = header[last]["data_offsets"]
    entry = {"dtype": "F32", "shape": [1 << 20, 1 << 20], "data_offsets": [begin, begin + (4 << 40)]}
    return pack({**header, last: entry}, data)


def reversed_offsets(header, data, _):
    name = pick(header, "q_proj.weight")
    return pack(with_tensor(header, name, data_offsets=header[name]["data_offsets"][::-1]), data)


def negative_offset(header, data, _):
    name = min(header, key=lambda each: header[each]["data_offsets"][0])
    return pack(with_tensor(header, name, data_offsets=[-8, header[name]["data_offsets"][1] - 8]), data)


def fractional_offset(header, data, _):
    name = pick(header, "q_proj.weight")
    return pack(with_tensor(header, name, data_offsets=[each + 0.5 for each in header[name]["data_offsets"]]), data)


def shape_mismatch(header, data, _):
    name = pick(header, "down_proj.weight")
    rows, columns = header[name]["shape"]
    return pack(with_tensor(header, name, shape=[rows, columns + 1]), data)


def transposed(header, data, _):
    name = pick(header, "down_proj.weight")
    return pack(with_tensor(header, name, shape=header[name]["shape"][::-1]), data)


def overflowing_shape(header, data, _):
    """The product of the sizes is 2^64 elements, which is 0 in 64 bits."""
    return pack(with_tensor(header, pick(header, "down_proj.weight"), shape=[1 << 32, 1 << 32]), data)


def duplicate_key(header, data, _):
    name = pick(header, "q_proj.weight")
    again = json.dumps({name: header[name]})[1:-1]
    return pack(json.dumps(header)[:-1] + "," + again + "}", data)


def nan_weights(header, data, _):
    name = pick(header, "down_proj.weight")
    begin, end = header[name]["data_offsets"]
    nan = NAN[header[name]["dtype"]]
    return pack(header, data[:begin] + nan * ((end - begin) // len(nan)) + data[end:])


def random_bytes(_header, _data, whole):
    return random.Random(1).randbytes(min(len(whole), 1 << 20))


WEIGHTS = {
    "data cut short": lambda header, data, whole: whole[:-max(64, len(data) // 3)],
    "one byte too few": lambda header, data, whole: whole[:-1],
    "bytes after the last tensor": lambda header, data, whole: whole + bytes(16),
    "header cut short": lambda header, data, whole: whole[:100],
    "five bytes of length": lambda header, data, whole: whole[:5],
    "empty file": lambda header, data, whole: b"",
    "random bytes": random_bytes,
    "header length beyond the file": lambda header, data, whole: struct.pack("<Q", len(whole) + 1) + whole[8:],
    "header length 2^60": lambda header, data, whole: struct.pack("<Q", 1 << 60) + whole[8:],
    "header length 2^64 - 1": lambda header, data, whole: b"\xff" * 8 + whole[8:],
    "header length 0": lambda header, data, whole: bytes(8) + whole[8:],
    "header is no JSON": lambda header, data, whole: pack('{"a": [1, 2', data),
    "header is a JSON list": lambda header, data, whole: pack("[1, 2, 3]", data),
    "header is no UTF-8": lambda header, data, whole: whole[:9] + b"\xff\xfe" + whole[11:],
    "header nests 100,000 lists": lambda header, data, whole: pack("[" * 100_000 + "]" * 100_000, data),
    "entry is null": lambda header, data, whole: pack({**header, pick(header, "q_proj.weight"): None}, data),
    "entry without offsets": lambda header, data, whole: pack({**header, pick(header, "q_proj.weight"): {"dtype": "F32", "shape": [1]}}, data),
    "offsets overlap": overlap,
    "gap between tensors": gap,
    "offsets past the end": past_end,
    "offsets reversed": reversed_offsets,
    "offset negative": negative_offset,
    "offset is no integer": fractional_offset,
    "unknown dtype": lambda header, data, whole: pack(with_tensor(header, pick(header, "q_proj.weight"), dtype="F33"), data),
    "dtype is no string": lambda header, data, whole: pack(with_tensor(header, pick(header, "q_proj.weight"), dtype=7), data),
    "shape does not match the bytes": shape_mismatch,
    "shape does not match the config": transposed,
    "shape overflows 64 bits": overflowing_shape,
    "shape negative": lambda header, data, whole: pack(with_tensor(header, pick(header, "q_proj.weight"), shape=[-4, -4]), data),
    "missing tensor": lambda header, data, whole: without(header, data, pick(header, "up_proj.weight")),
    "missing embedding": lambda header, data, whole: without(header, data, pick(header, "embed_tokens.weight")),
    "duplicate key in the header": duplicate_key,
    "NaN weights": nan_weights,
}


# --- damage to an index: a checkpoint split in two; (header, data, folder) writes ----------------------------------

def write_shards(header, data, folder, map_change=lambda weight_map: None, twice=()):
    names = list(header)
    halves = [names[:len(names) // 2], names[len(names) // 2:]]
    weight_map = {}
    for i, half in enumerate(halves):
        shard = f"model-{i + 1:05}-of-00002.safetensors"
        weight_map |= dict.fromkeys(half, shard)
        (folder / shard).write_bytes(subset(header, data, [*half, *(twice if i == 1 else ())]))
    map_change(weight_map)
    (folder / f"{MODEL}.index.json").write_text(json.dumps({"metadata": {"total_size": len(data)}, "weight_map": weight_map}))


def rename_first(new_name):
    def change(weight_map):
        first = next(iter(weight_map))
        weight_map[first] = new_name
    return change


def missing_shard(header, data, folder):
    write_shards(header, data, folder)
    (folder / "model-00002-of-00002.safetensors").unlink()


def broken_index(text):
    def write(header, data, folder):
        write_shards(header, data, folder)
        (folder / f"{MODEL}.index.json").write_text(text)
    return write


INDEX = {
    "index names a missing shard": missing_shard,
    "index names a shard outside the folder": lambda header, data, folder: write_shards(header, data, folder, rename_first("../../etc/passwd")),
    "index names the wrong shard": lambda header, data, folder: write_shards(header, data, folder, rename_first("model-00002-of-00002.safetensors")),
    "index names a tensor that no shard has": lambda header, data, folder: write_shards(
        header, data, folder, lambda weight_map: weight_map.update({"model.ghost.weight": "model-00001-of-00002.safetensors"})),
    "index lacks a tensor": lambda header, data, folder: write_shards(header, data, folder, lambda weight_map: weight_map.pop(next(iter(weight_map)))),
    "tensor in two shards": lambda header, data, folder: write_shards(header, data, folder, twice=[next(iter(header))]),
    "index is no JSON": broken_index('{"weight_map": {'),
    "index without weight_map": broken_index('{"metadata": {}}'),
    "index with a list as weight_map": broken_index('{"weight_map": ["a", "b"]}'),
}


# --- damage to other files: file name, old text -> new text (None: removed) ----------------------------------------

def config(**changes):
    return lambda text: json.dumps({**json.loads(text), **changes})


def config_without(*keys):
    return lambda text: json.dumps({key: value for key, value in json.loads(text).items() if key not in keys})


FILES = {
    **{f"config lacks {key}": ("config.json", config_without(key)) for key in (
        "hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads", "vocab_size", "model_type")},
    **{f"config lacks {key} (has a default)": ("config.json", config_without(key)) for key in ("architectures", "rms_norm_eps", "num_key_value_heads")},
    "config lacks every rope key (has a default)": ("config.json", config_without("rope_theta", "rope_scaling", "rope_parameters")),
    "config missing": ("config.json", lambda text: None),
    "config empty": ("config.json", lambda text: ""),
    "config is no JSON": ("config.json", lambda text: text[:len(text) // 2]),
    "config is a JSON list": ("config.json", lambda text: "[]"),
    "config with a byte-order mark (no damage)": ("config.json", lambda text: "\ufeff" + text),
    "unknown model_type": ("config.json", config(model_type="mamba9", architectures=["Mamba9ForCausalLM"])),
    "model_type is a number": ("config.json", config(model_type=7)),
    "unknown rope scaling": ("config.json", config(rope_scaling={"rope_type": "spiral", "factor": 2.0}, rope_parameters={"rope_type": "spiral", "rope_theta": 1e4, "factor": 2.0})),
    "more layers than tensors": ("config.json", config(num_hidden_layers=999)),
    "fewer layers than tensors": ("config.json", config(num_hidden_layers=1)),
    "layers negative": ("config.json", config(num_hidden_layers=-3)),
    "width is no integer": ("config.json", config(hidden_size=20.5)),
    "width is a string": ("config.json", config(hidden_size="20")),
    "heads zero": ("config.json", config(num_attention_heads=0)),
    "key/value heads do not divide heads": ("config.json", config(num_key_value_heads=3)),
    "vocabulary larger than the embedding": ("config.json", config(vocab_size=10**9)),
    "eos id outside the vocabulary": ("config.json", config(eos_token_id=10**9)),
    "unknown activation": ("config.json", config(hidden_act="gelu")),
    "generation config is no JSON": ("generation_config.json", lambda text: "{"),
    "generation config with an eos id outside the vocabulary": ("generation_config.json", config(eos_token_id=[10**9])),
    "tokenizer missing": ("tokenizer.json", lambda text: None),
    "tokenizer empty": ("tokenizer.json", lambda text: ""),
    "tokenizer is no JSON": ("tokenizer.json", lambda text: text[:len(text) // 2]),
    "tokenizer without a model": ("tokenizer.json", config_without("model")),
    "tokenizer of an unknown model": ("tokenizer.json", config(model={"type": "Rune", "vocab": {}})),
    "tokenizer_config is no JSON": ("tokenizer_config.json", lambda text: "{,}"),
}


def copy_of(source, folder, leave_out=()):
    """Hard links where possible: only the damaged file takes room."""
    folder.mkdir(parents=True)
    for path in source.iterdir():
        if path.is_file() and path.name not in leave_out and path.name != "reference.safetensors":
            try:
                os.link(path.resolve(), folder / path.name)
            except OSError:
                shutil.copyfile(path, folder / path.name)


def replace(path, content):
    """A new file under the old name: writing in place would reach the source through the link."""
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def slug(kind):
    return re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-")


def main(source, out):
    source, out = Path(source), Path(out)
    header, data = read_tensors(source / MODEL)
    whole, manifest = (source / MODEL).read_bytes(), []

    def add(kind, *leave_out):
        manifest.append({"folder": slug(kind), "kind": kind})
        copy_of(source, out / slug(kind), leave_out)
        return out / slug(kind)

    out.mkdir(parents=True)
    for kind, make in WEIGHTS.items():
        (add(kind, MODEL) / MODEL).write_bytes(make(header, data, whole))
    add("weights missing", MODEL)
    (add("weights are a folder", MODEL) / MODEL).mkdir()
    for kind, write in INDEX.items():
        write(header, data, add(kind, MODEL))
    for kind, (name, change) in FILES.items():
        if (source / name).exists():
            replace(add(kind) / name, change((source / name).read_text()))
    (out / "empty-folder").mkdir()
    manifest.append({"folder": "empty-folder", "kind": "empty folder"})
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    print(f"{len(manifest)} damaged checkpoints in {out}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
