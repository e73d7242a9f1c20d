"""How a step ends."""

TAIL = 60  # lines of output that are kept of a step that failed


class Step(dict):
    """What a step has found. A step fills it, and ends early by raising one of these."""

    def tail(self, output):
        self["tail"] = "\n".join(output.rstrip().splitlines()[-TAIL:])


class Skipped(Exception):
    pass


class Failed(Exception):
    pass


class TimedOut(Exception):
    pass


STATES = {Skipped: "skipped", Failed: "failed", TimedOut: "timed out"}
CUT = ("timed out", "not run", "interrupted")  # what another call may find
