"""The cases "gpu/..." of flab_bench, in turns with what PyTorch and transformers take for the same (bench/gpu_peers.py)."""

import importlib.util
import json
import statistics
import sys
import time

from machine import ROOT
from report import Failed, TimedOut
from servers import Server, ServerError
from steps import environment, tree

SECONDS = 150  # for all cases: what comes later is not run
ANSWER_SECONDS = 60  # kernels may be compiled, models made
RUNS, RUN_SECONDS = 7, 1.0  # of each side so many runs, or fewer in so many seconds, but two


def run(report, step, processes):
    program, env = tree(report) / "bench" / "flab_bench", environment(report, None)
    build, cases = listed(processes.run([program, "--list"], 30, env))
    report.machine["gpuOfTheLibrary"] = build["gpu"]
    if "problem" in build["gpu"]:
        raise Failed(build["gpu"]["problem"])
    ours = Server(processes, [program, "--serve"], env)
    peers, names_of = open_peers(report, step, processes, build, cases)
    results, end = report.content["benchmark"], time.monotonic() + SECONDS
    for case in cases:
        result = {**case, "error": "no time was left"}
        if time.monotonic() < end and processes.left() > 10:
            result = time_case(case, ours, peers, names_of(case["name"]))
        results.append(result)
        report.write()
    for server in (ours, peers):
        if server:
            server.stop()
    late = [result["name"] for result in results if result.get("error") == "no time was left"]
    bad = [f"{result['name']}: {result['error']}" for result in results if "error" in result and result["name"] not in late]
    if bad:
        raise Failed("; ".join(bad))
    if late:
        raise TimedOut(f"{len(late)} of {len(cases)} cases were not run")


def listed(ended):
    if ended.code != 0:
        raise Failed(f"flab_bench --list {ended.how()}: {ended.output}")
    build, *cases = (json.loads(line) for line in ended.output.splitlines())
    return build, [case for case in cases if case["name"].startswith("gpu/")]


def open_peers(report, step, processes, build, cases):
    """The server of the peers, and a function from a case's name to its peers' names."""
    missing = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
    if report.emulated or missing:
        step["peers"] = f"skipped: {'PyTorch knows no emulator' if report.emulated else ' and '.join(missing) + ' not there'}"
        return None, lambda name: []
    setup = {"device": "cuda", "models": build["gpu"]["models"], "cases": {case["name"]: case for case in cases}}
    peers = Server(processes, [sys.executable, ROOT / "bench" / "gpu_peers.py"], {"HF_HUB_OFFLINE": "1"}, setup)
    try:
        peers.start(ANSWER_SECONDS)
    except ServerError as error:
        step["peers"] = f"failed: {error}"
        return None, lambda name: []
    step["peers"] = peers.greeting["versions"]
    beginnings = peers.greeting["peers"].items()
    return peers, lambda name: next((names for beginning, names in beginnings if name.startswith(f"{beginning}/")), [])


def time_case(case, ours, peers, names):
    """A case's medians: ours, theirs, ours, theirs. The first round warms up."""
    asks = {None: lambda: ours.ask(case["name"], ANSWER_SECONDS)}
    for name in names:
        asks[name] = lambda name=name: peers.ask(json.dumps({"case": case["name"], "peer": name}), ANSWER_SECONDS)
    seconds, errors = {name: [] for name in asks}, {}

    def ask_all():
        for name in [name for name in asks if name not in errors]:
            try:
                answer = asks[name]()
            except ServerError as error:
                answer = {"error": str(error)}
            if "error" in answer:
                errors[name] = answer["error"]
            elif "seconds" in answer:
                seconds[name].append(answer["seconds"])

    ask_all()  # operands
    ask_all()
    started = time.monotonic()
    while None not in errors and len(seconds[None]) <= RUNS and (len(seconds[None]) < 3 or time.monotonic() - started < RUN_SECONDS * len(asks)):
        ask_all()
    sides = {name: {"error": errors[name]} if name in errors else summary(seconds[name][1:]) for name in asks}
    return {**case, **sides.pop(None), "peers": sides}


def summary(seconds):
    return {"runs": len(seconds), "medianSeconds": statistics.median(seconds), "bestSeconds": min(seconds)}
