"""The steps of scripts/gpu-check.sh, one after the other. A step that fails or takes too long does not stop the others."""

import argparse
import pathlib
import signal
import sys

import benchmark
import machine
import steps
from processes import Interrupted, Processes
from report import Report
from sanitizers import sanitize

# In this order: what is told first matters most. The seconds are kept for each; what a step does not take is there for those after it.
# Their sum is what --seconds has by default, so that all end within eight minutes.
STEPS = {
    "machine": (machine.look, 10),
    "build": (steps.build, 125),
    "kernels": (steps.kernels, 40),
    "kernels without cuBLASLt": (steps.kernels_alone, 35),
    "models": (steps.models, 30),
    "transformers": (steps.transformers, 15),
    "memcheck": (sanitize("memcheck"), 30),
    "benchmark": (benchmark.run, 155),
    "racecheck": (sanitize("racecheck"), 8),
    "synccheck": (sanitize("synccheck"), 6),
    "initcheck": (sanitize("initcheck"), 6),
}
SECONDS = 460


def parse():
    steps = f"Steps: {', '.join(STEPS)}."
    parser = argparse.ArgumentParser(prog="scripts/gpu-check.sh", description="Tests and benchmarks on a GPU.", epilog=steps)
    parser.add_argument("--emulated", action="store_true", help="the same steps on the emulator, few tests and tiny shapes: to try the script itself")
    parser.add_argument("--report", type=pathlib.Path, default=pathlib.Path("build/gpu-report.json"), help="where the report goes (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for everything (default: %(default)s)")
    parser.add_argument("--steps", default=",".join(STEPS), help="some of the steps, with commas between them; machine and build are always there")
    parser.add_argument("--cases", default="", help="of the benchmark those whose names contain one of these words, with commas between them; others keep their results")
    return parser.parse_args()


def main():
    options = parse()
    names = options.steps.split(",")
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        sys.exit(f"gpu-check: expected steps among {', '.join(STEPS)}, got {', '.join(unknown)}")
    chosen = [name for name in STEPS if name in names or name in ("machine", "build")]
    processes = Processes(options.seconds)
    report = Report(options.report, options.emulated, list(STEPS), chosen, [word for word in options.cases.split(",") if word])

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(number, _):
        for ignored in signals:  # while the report is written
            signal.signal(ignored, signal.SIG_IGN)
        raise Interrupted(signal.Signals(number).name)

    for number in signals:
        signal.signal(number, interrupt)
    try:
        for name in processes.in_turn({name: STEPS[name][1] for name in chosen}, vital=["build"]):
            report.run(name, STEPS[name][0], processes)
    except Interrupted as interrupted:
        report.interrupt(str(interrupted))
    finally:
        processes.end()
    print(report.summary(), flush=True)
    return 0 if report.passed() else 1


if __name__ == "__main__":
    sys.exit(main())
