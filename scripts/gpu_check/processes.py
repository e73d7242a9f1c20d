"""Other programs, each with a limit on its time; none outlives this one."""

import concurrent.futures
import contextlib
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
            return f"took more than {self.limit:.3g} s" if self.limit > 0 else "came too late"
        return f"ended with {self.code}" if self.code >= 0 else f"ended by {signal.Signals(-self.code).name}"


class Processes:
    """What is started here shares one time limit."""

    def __init__(self, seconds):
        self.end_time, self.kept = time.monotonic() + seconds, 0
        self.running, self.lock = set(), threading.Lock()

    def left(self):
        return max(0, self.end_time - self.kept - time.monotonic())

    @contextlib.contextmanager
    def keeping(self, seconds):
        """Within it, so many of the seconds that are left are not there: they are kept for what comes after it."""
        self.kept += seconds
        try:
            yield
        finally:
            self.kept -= seconds

    def in_turn(self, seconds_of, vital=()):
        """Gives names one after the other, each with the time that the later ones do not need: what one does not take is there for
        all after it, and none takes another's. Where less is left than all need, each has its part of it. Without a vital one the
        later ones are nothing: it may take half of their time."""
        needed = sum(seconds_of.values())
        for name, seconds in seconds_of.items():
            part = min(1, self.left() / needed) if needed else 1
            needed -= seconds
            with self.keeping(part * needed * (0.5 if name in vital else 1)):
                yield name

    def start(self, command, env=None, **options):
        """Starts a program in a session of its own, so that what it starts ends with it."""
        child = subprocess.Popen([str(word) for word in command], env={**os.environ, **(env or {})}, start_new_session=True, **options)
        with self.lock:
            self.running.add(child)
        return child

    def run(self, command, limit=float("inf"), env=None):
        """Runs a program to its end, or for `limit` seconds; what it says comes with the result."""
        limit = min(limit, self.left())
        if limit <= 0:
            return Ended(None, "", 0, 0)
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

    def run_each(self, commands, at_a_time, limit=float("inf"), env=None):
        """The ends of several programs, by the names that their commands have."""
        pool = concurrent.futures.ThreadPoolExecutor(at_a_time)
        try:
            return dict(zip(commands, pool.map(lambda command: self.run(command, limit, env), commands.values())))
        except BaseException:
            self.end()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

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
