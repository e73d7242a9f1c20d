"""What the benchmark's numbers mean: shares of the GPU's own limits, and how many times as fast as others."""

from cases import needs


def rate(case, seconds):
    return (case["flops"] or case["bytes"]) / seconds


def best_rate(results, name):
    """The most that anyone reached in a case, ours or a peer; None if nobody did."""
    sides = [(case, side) for case in results if case["name"] == name for side in (case, *case["peers"].values())]
    return max((rate(case, side["bestSeconds"]) for case, side in sides if "bestSeconds" in side), default=None)


def kind_of(name):
    """Of a peer, the word before the colon; of a case whose speed ours is a share of, whether it is a limit or a product."""
    return name.split("/")[1] if name.startswith("gpu/") else name.split(":")[0]


def comparisons(case, results):
    """What a timed case is compared with, by kind: a name and the ratio. Of each kind of peer its best counts."""
    found = {}
    for name in needs(case):
        best = best_rate(results, name)
        if best:
            found[kind_of(name)] = name, rate(case, case["medianSeconds"]) / best
    for name, peer in case["peers"].items():
        ratio = peer.get("medianSeconds", float("inf")) / case["medianSeconds"]
        if ratio < found.get(kind_of(name), (None, float("inf")))[1]:
            found[kind_of(name)] = name, ratio
    return found


def cut(results):
    """Names of the cases of which a side had no time."""
    return [result["name"] for result in results if any("cut" in side for side in (result, *result["peers"].values()))]
