"""Other programs, each with a limit on its time; none outlives this one."""

import os
import signal
import subprocess
import tempfile
import threading
import time


class Interrupted(BaseException):
    """Someone wants this to end: the name of the signal."""


class Ended:
    def __init__(self, code, output, seconds, limit):
        self.code, self.output, self.seconds, self.limit = code, output, seconds, limit

    @property
    def timed_out(self):
        return self.code is None

    def how(self):
        if self.timed_out:
            return f"took more than {self.limit:.0f} s"
        return f"ended with {self.code}" if self.code >= 0 else f"ended by {signal.Signals(-self.code).name}"


class Processes:
    """What is started here shares one time limit."""

    def __init__(self, seconds):
        self.end_time = time.monotonic() + seconds
        self.running, self.lock = set(), threading.Lock()

    def left(self):
        return max(0, self.end_time - time.monotonic())

    def start(self, command, env=None, **options):
        """Starts a program in a session of its own, so that what it starts ends with it."""
        child = subprocess.Popen([str(word) for word in command], env={**os.environ, **(env or {})}, start_new_session=True, **options)
        with self.lock:
            self.running.add(child)
        return child

    def run(self, command, limit, env=None):
        """Runs a program to its end, or for `limit` seconds; what it says comes with the result."""
        limit = min(limit, self.left())
        started = time.monotonic()
        with tempfile.TemporaryFile() as said:
            child = self.start(command, env, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
            try:
                code = child.wait(limit)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                self.stop(child)
            said.seek(0)
            output = said.read().decode(errors="replace")
        return Ended(code, output, time.monotonic() - started, limit)

    def stop(self, child):
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
        with self.lock:
            self.running.discard(child)

    def end(self):
        """Ends everything that runs; what is started after that has no time."""
        self.end_time = 0
        for child in list(self.running):
            self.stop(child)
