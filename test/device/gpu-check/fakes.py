"""What steps are tried with: a report that is not written, and programs that are not run."""

from processes import Ended
from states import Step


class FakeReport:
    def __init__(self, emulated=False, **machine):
        self.emulated, self.machine = emulated, {"cores": 2, "computeCapability": "9.0", "tools": {}, **machine}

    def identify(self, sources):
        self.sources = sources


class FakeProcesses:
    """Remembers commands; `end_of` gives each its exit code and what it says."""

    def __init__(self, end_of=lambda words: (0, "")):
        self.end_of, self.commands, self.groups = end_of, [], []

    def left(self):
        return 60

    def run(self, command, limit=60, env=None):
        words = [str(word) for word in command]
        self.commands.append(words)
        return Ended(*self.end_of(words), 0.1, limit)

    def run_each(self, commands, at_a_time, limit=60, env=None):
        self.groups.append((list(commands), at_a_time))
        return {name: self.run(command) for name, command in commands.items()}


def step():
    return Step(state="interrupted")
