"""The cases "gpu/..." of flab_bench: in which order they are timed, and how long each may take."""

import json

from states import Failed

# By operation, what matters most first: seconds that are kept for a case, its operands and both sides. Compiling takes most of them
# for KL, making models for the last ones. Their sum, over the cases that there are, and what the servers need to begin fit into the
# benchmark's time (test/device/gpu-check/cases_test.py).
SECONDS = {
    "gpu/limit": 2,
    "gpu/kl": 10,
    "gpu/kl-head": 15,
    "gpu/slice-rows": 3,
    "gpu/slice-columns": 3,
    "gpu/forward": 8,
    "gpu/sweep": 25,
    "gpu/upload": 4,
    "gpu/product": 2,
    "gpu/product-own": 2,
}
# Six seconds of an H100 in each run: such a case is timed where it is asked for by name.
LONG_FLOPS = 3e15


def listed(ended):
    """What flab_bench --list says of itself, and of the cases."""
    if ended.code != 0:
        raise Failed(f"flab_bench --list {ended.how()}: {ended.output}")
    build, *cases = (json.loads(line) for line in ended.output.splitlines())
    return build, [case for case in cases if case["name"].startswith("gpu/")]


def operation(name):
    return "/".join(name.split("/")[:2])


def head_product(name):
    """The bare product of what a case of KL through the LM head computes."""
    _, _, dtype, size, tokens, candidates = name.split("/")
    rows = int(tokens.split()[0]) * (1 + int(candidates.split()[0]))
    return f"gpu/product/{dtype}/{rows}x{size}"


def needs(case):
    """Names of the cases that a case's speed is a share of."""
    product = [head_product(case["name"])] if operation(case["name"]) == "gpu/kl-head" else []
    return [name for name in (case["limit"], *product) if name]


def is_long(case):
    return case["flops"] >= LONG_FLOPS


def in_order(cases):
    """What is compared with a product comes after it, and what takes minutes after the same that does not."""
    cases = list(cases)
    heads = [head_product(case["name"]) for case in cases if operation(case["name"]) == "gpu/kl-head"]
    places = {name: place for place, name in enumerate(SECONDS)}

    def place(case):
        name = "gpu/kl-head" if case["name"] in heads else operation(case["name"])
        return places.get(name, len(places)), is_long(case)

    return sorted(cases, key=place)


def chosen(cases, words, have):
    """Without words all that are not long; otherwise those with one of the words in their names, and what these need and nobody has."""
    if not words:
        return [case for case in cases if not is_long(case)]
    wanted = [case for case in cases if any(word in case["name"] for word in words)]
    needed = {name for case in wanted for name in needs(case)} - set(have)
    return [case for case in cases if case in wanted or case["name"] in needed]


def seconds_of(case):
    return SECONDS.get(operation(case["name"]), 2)
