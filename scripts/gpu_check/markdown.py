"""The report for people: Markdown that docs/benchmarks.md can take as it is."""

from ratios import comparisons


def page(report):
    parts = [heading(report), *earlier(report)]
    if report["benchmark"]:
        parts += [table(["target", "case", "at least", "measured", "reached", "compared with"], target_lines(report)), counts(report), table(CASES, case_lines(report))]
    return "\n\n".join(parts) + "\n"


def heading(report):
    """What the numbers are of."""
    machine = report["machine"]
    tools, benchmark = machine.get("tools", {}), report["steps"].get("benchmark", {})
    products, peers = benchmark.get("gpu", {}).get("products", ""), benchmark.get("peers", {})
    packages = [f"{package} {version}" for package, version in peers.items()] if isinstance(peers, dict) else [f"no peers: {peers}"]
    words = [machine.get("gpu"), machine.get("memory"), f"driver {machine['driver']}" if "driver" in machine else None,
             f"CUDA {tools['nvcc']}" if "nvcc" in tools else None, products.split(" (")[0], *packages, f"{machine['cores']} cores" if "cores" in machine else None, report["date"]]
    return ", ".join(str(word) for word in words if word)


def earlier(report):
    """What other calls have found, by their dates; of cases only those that are not of the benchmark's own call."""
    benchmark = report["steps"].get("benchmark", {}).get("date")
    parts = [*report["steps"].items(), *((result["name"], result) for result in report["benchmark"] if result.get("date") != benchmark)]
    found = {}
    for name, part in parts:
        if part.get("date", report["date"]) != report["date"]:
            found.setdefault(part["date"], []).append(name)
    return [f"Found by the call of {date}: {', '.join(names)}." for date, names in sorted(found.items())]


def table(head, lines):
    widths = [max(len(line[place]) for line in [head, *lines]) for place in range(len(head))]
    rows = [head, ["-" * width for width in widths], *lines]
    return "\n".join(f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths))} |" for row in rows)


def target_lines(report):
    return [[row["target"], row["case"], f"{row['atLeast']:g} x", "-" if row["measured"] is None else times(row["measured"]), row["reached"], row["peer"]] for row in report["targets"]]


def counts(report):
    reached = [row["reached"] for row in report["targets"]]
    words = {"yes": "reached", "no": "missed", "no peer": "without a peer", "not measured": "not measured", "emulated": "emulated"}
    return f"Of {len(reached)} targets: {', '.join(f'{reached.count(word)} {said}' for word, said in words.items() if word in reached)}."


CASES = ["case", "median", "speed", "compared with", "their median", "ratio"]


def case_lines(report):
    lines = []
    for case in report["benchmark"]:
        own = [case["name"], "-", "-"]
        if "medianSeconds" in case:
            own = [case["name"], milliseconds(case["medianSeconds"]), speed(case)]
        for others in others_of(case, report) or [[case.get("error") or case.get("skipped") or case.get("noPeers", "-"), "-", "-"]]:
            lines.append([*own, *others])
            own = ["", "", ""]
    return lines


def others_of(case, report):
    if "medianSeconds" not in case:
        return []
    compared = [[name, milliseconds(case["peers"].get(name, {}).get("medianSeconds")), times(ratio)] for name, ratio in comparisons(case, report["benchmark"]).values()]
    return compared + [[f"{name}: {peer['error']}", "-", "-"] for name, peer in case["peers"].items() if "error" in peer]


def milliseconds(seconds):
    return "-" if seconds is None else f"{seconds * 1e3:,.4g} ms"


def times(ratio):
    return f"{ratio:.3g} x"


def speed(case):
    for amount, unit, factor in ((case["tokens"], "tokens/s", 1), (case["flops"], "TFLOP/s", 1e12), (case["bytes"], "GB/s", 1e9)):
        if amount:
            return f"{amount / case['medianSeconds'] / factor:,.4g} {unit}"
    return "-"
