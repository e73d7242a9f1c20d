"""What came of each step: written after every step, so that it is there whatever ends the rest."""

import datetime
import json
import os
import time
import traceback

from table import as_text, rows_of

TAIL, SHOWN = 60, 12  # lines of output that are kept of a step that failed, and that the summary has


class Step(dict):
    """What a step has found. A step fills it, and ends early by raising Skipped or Failed."""

    def tail(self, output):
        self["tail"] = "\n".join(output.rstrip().splitlines()[-TAIL:])


class Skipped(Exception):
    pass


class Failed(Exception):
    pass


class TimedOut(Exception):
    pass


STATES = {Skipped: "skipped", Failed: "failed", TimedOut: "timed out"}


class Report:
    def __init__(self, path, emulated, chosen):
        self.path = path
        date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        self.content = {"date": date, "emulated": emulated, "machine": {}, "steps": {}, "benchmark": []}
        self.steps = self.content["steps"]
        for name in chosen:
            self.steps[name] = Step(state="not run")

    @property
    def emulated(self):
        return self.content["emulated"]

    @property
    def machine(self):
        return self.content["machine"]

    def run(self, name, step, processes):
        result, started = self.steps[name], time.monotonic()
        if processes.left() < 1:
            result["reason"] = "no time was left"
            return self.write()
        result["state"] = "interrupted"
        self.write()
        print(f"{name} ... ", end="", flush=True)
        try:
            step(self, result, processes)
            result["state"] = "passed"
        except tuple(STATES) as ended:
            result.update(state=STATES[type(ended)], reason=str(ended))
        except Exception as error:
            result.update(state="failed", reason=f"{type(error).__name__}: {error}")
            result.tail(traceback.format_exc())
        finally:
            result["seconds"] = round(time.monotonic() - started, 1)
            self.write()
        print(f"{line(result)}", flush=True)

    def interrupt(self, signal):
        self.content["interrupted"] = signal
        print(f"interrupted by {signal}", flush=True)
        self.write()

    def write(self):
        self.content["comparisons"] = rows_of(self.content["benchmark"], self.emulated)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_name(f"{self.path.name}.part")
        unfinished.write_text(json.dumps(self.content, indent="\t") + "\n")
        os.replace(unfinished, self.path)

    def passed(self):
        return "interrupted" not in self.content and all(step["state"] in ("passed", "skipped") for step in self.steps.values())

    def summary(self):
        shown = [name for name, step in self.steps.items() if "tail" in step and step["state"] != "skipped"]
        tails = ["\n".join([f"{name}:", *self.steps[name]["tail"].splitlines()[-SHOWN:], ""]) for name in shown]
        lines = [f"{name}: {line(step)}" for name, step in self.steps.items()]
        states = [step["state"] for step in self.steps.values()]
        counts = ", ".join(f"{states.count(state)} {state}" for state in ("passed", *STATES.values(), "not run", "interrupted") if state in states)
        return "\n".join(["", *tails, as_text(self.content["benchmark"], self.emulated), *lines, f"{counts} of {len(states)} steps; {self.path}"])


def line(step):
    parts = [step["state"]]
    if "tests" in step:
        parts.append(f"{step['tests']['passed']} tests passed, {step['tests']['failed']} failed")
    if "reason" in step:
        parts.append(step["reason"])
    parts += step.get("failedAlone", [])
    if "seconds" in step:
        parts.append(f"{step['seconds']} s")
    return ", ".join(parts)
