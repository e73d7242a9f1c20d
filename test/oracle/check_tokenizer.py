"""Checks that a pruned tokenizer is the original with some tokens gone and the others renumbered."""
import json
from pathlib import Path

from transformers import AutoTokenizer

FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
# Texts that no corpus holds: any of them must still be encodable where the original can encode it.
ODD_TEXTS = ("", " ", "\r\n\t  \t", "na\u00efve \u0416\u4e2d\u6587\u0e44\u0e17\u0e22", "\U0001f9ff\U0001f468\u200d\U0001f469", "\x00\x01\x1f\x7f\u00a0\ufeff",
             "if x==1:\n\treturn{'a':[1,2]}", "".join(map(chr, range(0x80, 0x250))))
CHATS = ([{"role": "user", "content": None}],
         [{"role": "user", "content": None}, {"role": "assistant", "content": None}, {"role": "user", "content": None}],
         [{"role": "system", "content": None}, {"role": "user", "content": None}])


def has_tokenizer(folder):
    return any((Path(folder) / name).exists() for name in FILES)


def read_texts(path):
    """Every string in every record of a JSONL file."""
    for line in Path(path).read_text(encoding="utf-8-sig").splitlines():
        if line.strip():
            record = json.loads(line)
            yield from [record] if isinstance(record, str) else [each for each in record.values() if isinstance(each, str)]


def check_tokenizer(source, pruned, tokens, texts=None, chat_content=""):
    """(counts, failures); `tokens` are the kept ids, so new id n was tokens[n]."""
    before, after = (AutoTokenizer.from_pretrained(folder, local_files_only=True) for folder in (source, pruned))
    place = {old: new for new, old in enumerate(tokens)}
    invented = invented_pieces(before, Path(source) / "tokenizer.json")
    failures = check_pieces(before, after, tokens, invented) + check_specials(before, after, place, invented)
    failures += check_reachable(before, after, tokens) + check_odd_texts(before, after, len(tokens))
    counts = {"texts": 0, "text_tokens": 0}
    for text in read_texts(texts) if texts else ():
        for special in (False, True):
            expected = before(text, add_special_tokens=special)["input_ids"]
            got = after(text, add_special_tokens=special)["input_ids"]
            if [place.get(i) for i in expected] != got:
                failures.append(f"text {counts['texts']} is encoded differently: {text[:60]!r}")
        counts = {"texts": counts["texts"] + 1, "text_tokens": counts["text_tokens"] + len(expected)}
    chats, chat_failures = check_chat(before, after, place, chat_content)
    return counts | {"chats": chats}, (failures + chat_failures)[:20]


def invented_pieces(tokenizer, file):
    """Pieces that no file holds: classes such as Qwen2Tokenizer append their default special tokens at the end when they
    are missing. Such an id never was the model's, so there is nothing to compare."""
    if not file.exists():
        return set()
    stored = json.loads(file.read_text())
    vocabulary = stored["model"]["vocab"]
    known = set(vocabulary) if isinstance(vocabulary, dict) else {piece for piece, _ in vocabulary}
    return set(tokenizer.get_vocab()) - known - {token["content"] for token in stored["added_tokens"]}


def check_pieces(before, after, tokens, invented):
    old_pieces, new_pieces = ({piece: i for piece, i in each.get_vocab().items() if piece not in invented} for each in (before, after))
    names = {i: piece for piece, i in old_pieces.items()}
    expected = {names[old]: new for new, old in enumerate(tokens) if old in names}
    if expected == new_pieces:
        return []
    odd = sorted(piece for piece in set(expected) | set(new_pieces) if expected.get(piece) != new_pieces.get(piece))
    return [f"{len(odd)} pieces have another id than the plan says, such as {odd[:4]}"]


def check_specials(before, after, place, invented):
    failures = []
    for name in ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id"):
        old, new = getattr(before, name), getattr(after, name)
        if getattr(before, name.removesuffix("_id")) in invented:
            continue
        if (old is None) != (new is None) or (old is not None and place.get(old) != new):
            failures.append(f"{name}: {old} should be {place.get(old)}, is {new}")
    old_added, new_added = ({i: (str(token), token.special) for i, token in each.added_tokens_decoder.items() if str(token) not in invented}
                            for each in (before, after))
    if {place.get(i): token for i, token in old_added.items()} != new_added:
        failures.append("added tokens differ")
    return failures


def check_reachable(before, after, tokens):
    """A kept piece that the original's model can produce from its own text must still be produced."""
    models = [getattr(each, "backend_tokenizer", None) and each.backend_tokenizer.model for each in (before, after)]
    if not all(models) or type(models[0]).__name__ not in ("BPE", "Unigram"):
        return []
    special = set(before.all_special_ids) | set(before.added_tokens_decoder)
    lost = []
    for new, old in enumerate(tokens):
        piece = before.convert_ids_to_tokens(old) if old < len(before) and old not in special else None
        if piece and [each.id for each in models[0].tokenize(piece)] == [old]:
            if [each.id for each in models[1].tokenize(piece)] != [new]:
                lost.append(piece)
    return [f"{len(lost)} kept pieces are unreachable, such as {lost[:4]}"] if lost else []


def check_odd_texts(before, after, size):
    failures = []
    for text in ODD_TEXTS:
        old, new = before(text)["input_ids"], after(text)["input_ids"]
        if any(i >= size for i in new):
            failures.append(f"{text!r} is encoded to ids beyond the vocabulary")
        elif before.unk_token_id not in old and before.decode(old) != after.decode(new):
            failures.append(f"{text!r} is decoded to another text")
    return failures


def check_chat(before, after, place, content):
    if before.chat_template is None and after.chat_template is None:
        return 0, []
    failures, rendered = [], 0
    for chat in CHATS:
        messages = [{**message, "content": content} for message in chat]
        for prompt in (False, True):
            try:
                expected = before.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)
            except Exception:  # a template may refuse a system message, say
                continue
            got = after.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)
            old, new = (each(text, add_special_tokens=False)["input_ids"] for each, text in ((before, expected), (after, got)))
            if expected != got or [place.get(i) for i in old] != new:
                failures.append(f"the chat template renders or encodes differently: {expected[:80]!r}")
            rendered += 1
    return rendered, failures
