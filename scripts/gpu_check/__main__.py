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

STEPS = {
    "machine": machine.look,
    "build": steps.build,
    "kernels": steps.kernels,
    "kernels without cuBLASLt": steps.kernels_alone,
    "models": steps.models,
    "transformers": steps.transformers,
    "benchmark": benchmark.run,
    "memcheck": steps.sanitize("memcheck"),
    "racecheck": steps.sanitize("racecheck"),
    "synccheck": steps.sanitize("synccheck"),
    "initcheck": steps.sanitize("initcheck"),
}


def parse():
    steps = f"Steps: {', '.join(STEPS)}."
    parser = argparse.ArgumentParser(prog="scripts/gpu-check.sh", description="Tests and benchmarks on a GPU.", epilog=steps)
    parser.add_argument("--emulated", action="store_true", help="the same steps on the emulator, few tests and tiny shapes: to try the script itself")
    parser.add_argument("--report", type=pathlib.Path, default=pathlib.Path("build/gpu-report.json"), help="where the report goes (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=460, help="for everything (default: %(default)s); what comes too late is not run")
    parser.add_argument("--steps", default=",".join(STEPS), help="some of the steps, with commas between them; machine and build are always there")
    return parser.parse_args()


def main():
    options = parse()
    names = options.steps.split(",")
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        sys.exit(f"gpu-check: expected steps among {', '.join(STEPS)}, got {', '.join(unknown)}")
    chosen = [name for name in STEPS if name in names or name in ("machine", "build")]
    processes = Processes(options.seconds)
    report = Report(options.report, options.emulated, chosen)

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(number, _):
        for ignored in signals:  # while the report is written
            signal.signal(ignored, signal.SIG_IGN)
        raise Interrupted(signal.Signals(number).name)

    for number in signals:
        signal.signal(number, interrupt)
    try:
        for name in chosen:
            report.run(name, STEPS[name], processes)
    except Interrupted as interrupted:
        report.interrupt(str(interrupted))
    finally:
        processes.end()
    print(report.summary(), flush=True)
    return 0 if report.passed() else 1


sys.exit(main())
