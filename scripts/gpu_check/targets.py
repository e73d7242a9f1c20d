"""What is wanted of the benchmark, and whether it was reached."""

from typing import NamedTuple

from ratios import comparisons, kind_of


class Target(NamedTuple):
    words: str
    cases: str  # how their names begin
    kind: str  # of what they are compared with
    least: float  # of a limit so much, or so many times as fast


TARGETS = [
    Target("rows gathered, of a copy within the GPU", "gpu/slice-rows/", "limit", 0.9),
    Target("columns gathered, of a copy within the GPU", "gpu/slice-columns/", "limit", 0.8),
    Target("KL of bf16 logits, of the rate of reading", "gpu/kl/bf16/", "limit", 0.85),
    Target("KL of bf16 logits, eager PyTorch", "gpu/kl/bf16/", "eager", 5),
    Target("KL of bf16 logits, torch.compile", "gpu/kl/bf16/", "compiled", 1.5),
    Target("KL through the LM head, of the same product by cuBLASLt", "gpu/kl-head/", "product", 0.7),
    Target("forward pass, transformers with SDPA", "gpu/forward/", "eager", 1),
    Target("sweep without each layer, careful PyTorch", "gpu/sweep/", "careful", 3),
    Target("upload of weights, of pinned memory's rate", "gpu/upload/", "limit", 0.8),
]


def judged(report):
    """A row for each target and case: what was measured, on what, against whom, and whether it was reached."""
    rows = []
    for target in TARGETS:
        cases = [result for result in report["benchmark"] if result["name"].startswith(target.cases)]
        for result in cases or [{"name": target.cases, "skipped": "not run", "peers": {}}]:
            rows.append({"target": target.words, "case": result["name"], "atLeast": target.least, **verdict(target, result, report),
                         "device": report["machine"].get("gpu", "unknown"), "date": result.get("date")})
    return rows


def verdict(target, result, report):
    if "medianSeconds" not in result:
        return {"measured": None, "reached": "not measured", "peer": result.get("error") or result.get("skipped")}
    name, ratio = comparisons(result, report["benchmark"]).get(target.kind, (None, None))
    if ratio is None:
        return {"measured": None, "reached": "no peer", "peer": why_none(target, result)}
    # The emulator is not meant to be fast.
    return {"measured": ratio, "reached": "emulated" if report["emulated"] else "yes" if ratio >= target.least else "no", "peer": name}


def why_none(target, result):
    if target.kind in ("limit", "product"):
        return f"its {target.kind} was not timed"
    errors = {peer["error"] for name, peer in result["peers"].items() if "error" in peer and kind_of(name) in (target.kind, "all peers")}
    return "; ".join(sorted(errors)) or result.get("noPeers", "none of this kind")
