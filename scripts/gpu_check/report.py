"""What came of each step: written after every step, so that it is there whatever ends the rest."""

import datetime
import json
import os
import shlex
import time
import traceback

from cases import in_order
from markdown import page
from ratios import cut
from states import CUT, STATES, Step
from targets import judged

SHOWN = 12  # lines of a failed step's output, and titles of its tests, that the summary has


class Report:
    """What this call finds, and what earlier calls found of the same sources on the same GPU and this one does not try again."""

    def __init__(self, path, emulated, names, chosen, words=()):
        self.path, self.chosen, self.words, self.identity = path, chosen, words, None
        date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        self.content = {"date": date, "emulated": emulated, "machine": {}, "steps": {}, "benchmark": []}
        self.older = older = read(path, emulated)
        there = [name for name in names if name in chosen or name in older["steps"]]
        self.steps = self.content["steps"] = {name: Step(state="not run") if name in chosen else Step(older["steps"][name]) for name in there}
        self.results = self.content["benchmark"] = [*older["benchmark"]]

    @property
    def emulated(self):
        return self.content["emulated"]

    @property
    def machine(self):
        return self.content["machine"]

    def identify(self, sources):
        """Says what is tried from now on. What was found of something else goes to a file beside the report."""
        self.machine["sources"] = sources
        self.identity = ", ".join(str(self.machine.get(key)) for key in ("gpu", "driver", "sources"))
        others = [name for name, step in self.steps.items() if name not in self.chosen and step.get("of") != self.identity]
        if others or any(result.get("of") != self.identity for result in self.results):
            replace(self.path.with_name(f"{self.path.stem}.older{self.path.suffix}"), as_json(self.older))
        for name in others:
            del self.steps[name]
        self.results[:] = [result for result in self.results if result.get("of") == self.identity]

    def add_result(self, result):
        """A case's result instead of its older one, which stays where the new one only says that no time was left."""
        names = [older["name"] for older in self.results]
        result = {**result, "of": self.identity, "date": self.content["date"]}
        if result["name"] not in names:
            self.results[:] = in_order([*self.results, result])
        elif "cut" not in result:
            self.results[names.index(result["name"])] = result
        self.write()

    def run(self, name, step, processes):
        result, started = self.steps[name], time.monotonic()
        if processes.left() <= 0:
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
            result.update(seconds=round(time.monotonic() - started, 1), date=self.content["date"], of=self.identity)
            self.write()
        print(f"{line(result)}", flush=True)

    def interrupt(self, signal):
        self.content["interrupted"] = signal
        print(f"interrupted by {signal}", flush=True)
        self.write()

    def write(self):
        self.content["targets"] = judged(self.content)
        replace(self.path, as_json(self.content))
        replace(self.path.with_suffix(".md"), page(self.content))

    def passed(self):
        """Of this call: what an earlier one found has no say in how this one ends."""
        return "interrupted" not in self.content and all(self.steps[name]["state"] in ("passed", "skipped") for name in self.chosen)

    def summary(self):
        shown = [name for name, step in self.steps.items() if "tail" in step and step["state"] != "skipped"]
        tails = ["\n".join([f"{name}:", *self.steps[name]["tail"].splitlines()[-SHOWN:], ""]) for name in shown]
        lines = [f"{name}: {line(step)}{'' if name in self.chosen else ', ' + step['date']}" for name, step in self.steps.items()]
        states = [step["state"] for step in self.steps.values()]
        counts = ", ".join(f"{states.count(state)} {state}" for state in ("passed", *STATES.values(), "not run", "interrupted") if state in states)
        end = f"{counts} of {len(states)} steps; {self.path}, {self.path.with_suffix('.md')}"
        return "\n".join(["", *tails, page(self.content), *lines, *self.again(), end])

    def again(self):
        """How to run what had no time."""
        steps = [name for name, step in self.steps.items() if step["state"] in CUT]
        if not steps:
            return []
        cases = cut(self.results) if self.steps.get("benchmark", {}).get("state") == "timed out" else []
        words = ["scripts/gpu-check.sh", *(["--emulated"] if self.emulated else []), "--report", str(self.path), "--steps", ",".join(steps)]
        return [f"For want of time: {', '.join(steps)}. To run just that, into the same report:", shlex.join([*words, *(["--cases", ",".join(cases)] if cases else [])])]


def read(path, emulated):
    """What an earlier call has written there; nothing where it is of another kind."""
    try:
        older = json.loads(path.read_text())
        return older if older["emulated"] == emulated and "targets" in older else {"steps": {}, "benchmark": []}
    except (OSError, ValueError, KeyError, TypeError):
        return {"steps": {}, "benchmark": []}


def as_json(content):
    return json.dumps(content, indent="\t") + "\n"


def replace(path, text):
    """Never half a file, whatever ends this."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(text)
    os.replace(unfinished, path)


def line(step):
    parts = [step["state"]]
    if step.get("reused"):
        parts.append("built before")
    if "tests" in step:
        parts.append(f"{step['tests']['passed']} tests passed, {step['tests']['failed']} failed")
    if "reason" in step:
        parts.append(step["reason"])
    alone = list(step.get("failedAlone", []))
    parts += [*alone[:SHOWN], *([f"{len(alone) - SHOWN} more"] if len(alone) > SHOWN else [])]
    if "seconds" in step:
        parts.append(f"{step['seconds']} s")
    return ", ".join(parts)
