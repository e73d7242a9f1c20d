"""What times peers when it is asked: lines of JSON in and out.

    out  {"ready": true}                      when what is needed is installed
    in   {...}                                the setup, which each server says
    out  {"versions": {...}, "peers": {...}, "missing": {...}}  by the beginning of cases' names, their peers as "kind: form", of which a
                                              kind's best counts, or the package for want of which they have none
    in   {"case": NAME, "peer": NAME}         again and again
    out  {"prepared": true}                   the first time for a case and peer, which is warm now
    out  {"seconds": 0.1, ...}                after that: what one run took
    out  {"error": TEXT}                      where this peer can't run here

A server is a script that calls begin(), imports torch, registers its peers and calls serve().
"""

import gc
import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
import time

PEERS = {}  # how the names of cases begin: names of their peers
MISSING = {}  # the same: the package without which there are none
BUILDERS = {}  # the same: what makes a case's operands from the rest of its name and returns its peers' functions by name


def peers(beginning, *names, needs="torch"):
    def register(build):
        if is_installed(needs):
            PEERS[beginning], BUILDERS[beginning] = names, build
        else:
            MISSING[beginning] = needs
        return build

    return register


def is_installed(package):
    return importlib.util.find_spec(package) is not None


def compiled(function):
    import torch

    return torch.compile(function, dynamic=False)


def answer(value):
    print(json.dumps(value), file=answers, flush=True)


def begin(*packages):
    """Waits for the setup, which it gives; ends the process where there is none, or where one of these packages is missing."""
    global answers
    # What libraries print goes to the standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    missing = [name for name in packages if not is_installed(name)]
    if missing:
        print(f"{' and '.join(missing)} not installed in {sys.executable}: {sys.executable} -m pip install {' '.join(packages)}", file=sys.stderr)
        sys.exit(2)
    answer({"ready": True})
    setup = json.loads(sys.stdin.readline() or "null")
    if setup is None:
        sys.exit(0)
    return setup


def peak_bytes():
    """Largest resident memory since reset_peak; 0 where the system does not tell."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        return 0


def reset_peak():
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def versions():
    """Told without loading the packages, which takes transformers seconds."""
    found = {"python": platform.python_version()}
    for package in filter(is_installed, ("torch", "transformers")):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


class Clock:
    """How a run is timed that has ended when it returns."""

    def warm(self, run):
        """Once before a peer is timed: compiles, and allocates what is kept. What it gives comes back to `measure`."""
        run()

    def measure(self, run, _):
        cpu, start = time.process_time(), time.perf_counter()
        run()
        return {"seconds": time.perf_counter() - start, "cpuSeconds": time.process_time() - cpu, "peakBytes": peak_bytes()}


class Cases:
    def __init__(self, clock):
        self.clock, self.prepared, self.runs, self.warm = clock, None, {}, {}

    def ask(self, case, peer):
        if case != self.prepared:
            self.prepare(case)
        run = self.runs[peer]
        parts = getattr(run, "parts", 1)
        if peer not in self.warm:
            self.warm[peer] = self.clock.warm(run) if parts == 1 else None
            return {"prepared": True}
        measured = self.clock.measure(run, self.warm[peer])
        if parts > 1:
            measured.update(scale=parts, note=f"estimated from 1 of {parts} candidates")
        return measured

    def prepare(self, case):
        import torch

        self.prepared, self.runs, self.warm = None, {}, {}
        torch._dynamo.reset()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        beginning = next(beginning for beginning in BUILDERS if case.startswith(beginning + "/"))
        self.runs = BUILDERS[beginning](case[len(beginning) + 1 :])
        self.prepared = case
        reset_peak()


def serve(clock):
    import torch

    torch.set_grad_enabled(False)
    torch.manual_seed(0)
    answer({"versions": versions(), "peers": PEERS, "missing": MISSING})
    cases = Cases(clock)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer(cases.ask(asked["case"], asked["peer"]))
        except Exception as error:
            answer({"error": f"{type(error).__name__}: {error}"[:500]})
