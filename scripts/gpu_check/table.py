"""What the benchmark's numbers mean: shares of the GPU's own limits, and how many times as fast as others, against what is wanted."""

# By operation and what it is compared with: at least so much of a limit, or so many times as fast.
TARGETS = {
    ("gpu/slice-rows", "limit"): 0.9,
    ("gpu/slice-columns", "limit"): 0.8,
    ("gpu/upload", "limit"): 0.8,
    ("gpu/kl", "limit"): 0.85,
    ("gpu/kl", "eager"): 5,
    ("gpu/kl", "compiled"): 1.5,
    ("gpu/kl-head", "product"): 0.7,
    ("gpu/forward", "eager"): 1,
    ("gpu/sweep", "careful"): 3,
}


def rate(case, seconds):
    return (case["flops"] or case["bytes"]) / seconds


def sides(case):
    return [side for side in (case, *case.get("peers", {}).values()) if "bestSeconds" in side]


def best_rate(results, name):
    """The most that anyone reached in a case; None if nobody did."""
    return max((rate(case, side["bestSeconds"]) for case in results if case["name"] == name for side in sides(case)), default=None)


def head_product(case):
    """The bare product of what a case of KL through the LM head computes."""
    _, _, dtype, size, tokens, candidates = case["name"].split("/")
    rows = int(tokens.split()[0]) * (1 + int(candidates.split()[0]))
    return f"gpu/product/{dtype}/{rows}x{size}"


def comparisons(case, results):
    """What a case is compared with, in words and by name, and the ratio."""
    limits = [("limit", case["limit"])] if case["limit"] else []
    if case["name"].startswith("gpu/kl-head/"):
        limits.append(("product", head_product(case)))
    for kind, name in limits:
        limit = best_rate(results, name)
        if limit:
            yield kind, name, rate(case, case["medianSeconds"]) / limit
    best = {}
    for name, peer in case["peers"].items():
        kind = name.split(":")[0]
        if "medianSeconds" in peer and peer["medianSeconds"] < best.get(kind, (None, float("inf")))[1]:
            best[kind] = name, peer["medianSeconds"]
    for kind, (name, seconds) in best.items():
        yield kind, name, seconds / case["medianSeconds"]


def rows_of(results, emulated):
    """A row for each comparison: of the limits and of each kind of peer its best. The emulator is not meant to be fast."""
    rows = []
    for case in results:
        if "medianSeconds" not in case:
            continue
        operation = "/".join(case["name"].split("/")[:2])
        for kind, name, ratio in comparisons(case, results):
            target = None if emulated else TARGETS.get((operation, kind))
            rows.append({"case": case["name"], "with": name, "ratio": ratio, "target": target, "met": None if target is None else ratio >= target})
    return rows


def speed(case):
    for amount, unit, factor in ((case["tokens"], "tokens/s", 1), (case["flops"], "TFLOP/s", 1e12), (case["bytes"], "GB/s", 1e9)):
        if amount:
            return f"{amount / case['medianSeconds'] / factor:,.4g} {unit}"
    return "-"


def as_text(results, emulated):
    rows = rows_of(results, emulated)
    lines = []
    for case in results:
        if "medianSeconds" not in case:
            lines.append([case["name"], case["error"], "", "", "", ""])
            continue
        own = [case["name"], f"{case['medianSeconds'] * 1e3:,.4g} ms", speed(case)]
        for row in [row for row in rows if row["case"] == case["name"]] or [None]:
            wanted = "" if row is None or row["target"] is None else f">= {row['target']}{'' if row['met'] else '  MISSED'}"
            lines.append([*own, *(["", "", ""] if row is None else [row["with"], f"{row['ratio']:.3g} x", wanted])])
            own = ["", "", ""]
        lines += [["", "", "", name, peer["error"], ""] for name, peer in case["peers"].items() if "error" in peer]
    head = ["case", "median", "speed", "compared with", "ratio", "wanted"]
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in [head, *lines]]
    met = [row["met"] for row in rows if row["target"] is not None]
    return "\n".join([*text, *([f"{met.count(True)} of {len(met)} targets met"] if met else []), ""]) if results else ""
