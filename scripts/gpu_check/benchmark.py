"""Cases of flab_bench in turns with what PyTorch and transformers take for the same."""

import json
import statistics
import time

from cases import chosen, in_order, is_long, listed, seconds_of
from peers import NoPeers, Peers
from ratios import cut
from states import Failed, TimedOut
from servers import Late, Server, ServerError
from steps import environment, tree

START_SECONDS = 20  # kept for both servers' beginnings: PyTorch is read from the disk
RUNS, LEAST_RUNS, RUN_SECONDS = 7, 2, 1.0  # of each side so many runs, or fewer in so many seconds


def run(report, step, processes):
    program, env = tree(report) / "bench" / "flab_bench", environment(report, None)
    build, cases = listed(processes.run([program, "--list"], 30, env))
    step["gpu"] = build["gpu"]
    if "problem" in build["gpu"]:
        raise Failed(build["gpu"]["problem"])
    timed = [result["name"] for result in report.results if "medianSeconds" in result]
    wanted = {case["name"]: case for case in in_order(chosen(cases, report.words, timed))}
    for case in cases:
        if is_long(case) and case["name"] not in [*wanted, *timed]:
            report.add_result({**case, "peers": {}, "skipped": f"takes minutes: --steps benchmark --cases '{case['name']}'"})
    turns = processes.in_turn({"": START_SECONDS, **{name: seconds_of(case) for name, case in wanted.items()}})
    next(turns)
    ours, peers = Server(processes, [program, "--serve"], env), Peers(report, processes, build, cases)
    step["peers"] = versions(peers)
    for name in turns:
        report.add_result(time_case(wanted[name], ours, peers, processes))
    ours.stop()
    peers.stop()
    judge(report.results)


def versions(peers):
    try:
        return peers.greeting()["versions"]
    except (Late, NoPeers) as error:
        return str(error)


def judge(results):
    bad = [f"{result['name']}: {result['error']}" for result in results if "error" in result and "cut" not in result]
    if bad:
        raise Failed("; ".join(bad))
    late = cut(results)
    if late:
        raise TimedOut(f"no time was left for all of {len(late)} of {len(results)} cases")


def time_case(case, ours, peers, processes):
    """A case's medians: ours, theirs, ours, theirs. Before that operands are made, and each side runs once without counting."""
    result, names = {**case, "peers": {}}, []
    try:
        names = peers.of(case["name"])
    except Late as late:
        result["peers"] = {"all peers": of_error(late)}
    except NoPeers as none:
        result["noPeers"] = str(none)
    sides = Sides({None: (ours, case["name"]), **{name: (peers.server, json.dumps({"case": case["name"], "peer": name})) for name in names}})
    sides.ask_all()  # a peer is warm when it is prepared
    sides.ask(None)
    sides.seconds[None].clear()
    sides.ask_in_turns(processes)
    found = sides.found()
    return {**result, **found.pop(None), "peers": {**result["peers"], **found}}


class Sides:
    def __init__(self, servers):
        self.servers, self.errors, self.seconds = servers, {}, {name: [] for name in servers}

    def ask(self, name):
        if name in self.errors:
            return
        server, line = self.servers[name]
        try:
            answer = server.ask(line)
        except ServerError as error:
            self.errors[name] = of_error(error)
        else:
            if "error" in answer:
                self.errors[name] = answer
            elif "seconds" in answer:
                self.seconds[name].append(answer["seconds"])

    def ask_all(self):
        for name in self.servers:
            self.ask(name)

    def ask_in_turns(self, processes):
        """As many rounds as are wanted, or as there is time for: one that would not end in time is not begun, but for the first."""
        started, rounds = time.monotonic(), 0
        while None not in self.errors and rounds < RUNS:
            self.ask_all()
            rounds += 1
            seconds = time.monotonic() - started
            if processes.left() < seconds / rounds or rounds >= LEAST_RUNS and seconds > RUN_SECONDS * len(self.servers):
                return

    def found(self):
        """What was timed of each side, or its error; that there was no more time only where nothing was."""
        found = {}
        for name, seconds in self.seconds.items():
            error = self.errors.get(name) or of_error(Late("no time was left"))
            found[name] = error if not seconds or "cut" not in error else summary(seconds)
        return found


def of_error(error):
    return {"error": str(error), **({"cut": True} if isinstance(error, Late) else {})}


def summary(seconds):
    return {"runs": len(seconds), "medianSeconds": statistics.median(seconds), "bestSeconds": min(seconds)}
