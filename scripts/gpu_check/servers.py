"""Programs that are asked one thing at a time, a line each, and answer with a line of JSON."""

import contextlib
import json
import queue
import subprocess
import tempfile
import threading
import time

PATIENCE = 60  # seconds until a server that does not answer is ended: PyTorch may come from a slow disk


class ServerError(Exception):
    pass


class Late(ServerError):
    """No time was left for the answer. It is waited for before the next question: a compilation or an import goes on meanwhile."""


class Server:
    """Started when it is first asked, and again after it ended; `setup` is what it is told then (bench/peer_server.py)."""

    def __init__(self, processes, command, env=None, setup=None):
        self.processes, self.command, self.env, self.setup = processes, command, env, setup
        self.child, self.greeting, self.owed = None, None, 0

    def start(self):
        """Starts it, and does not wait for it."""
        self.said, self.answers = tempfile.TemporaryFile(), queue.Queue()
        self.child = self.processes.start(self.command, self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, text=True)
        threading.Thread(target=listen, args=(self.child.stdout, self.answers), daemon=True).start()
        self.greeting, self.owed = None, 0
        if self.setup is None:
            self.asked = time.monotonic()
        else:
            self.tell(json.dumps(self.setup))
            self.owed += 1  # that it is ready

    def settle(self):
        """Waits until it is ready for a question."""
        if self.child is None:
            self.start()
        while self.owed:
            answer = self.next()
            if not self.owed and self.setup is not None and self.greeting is None:
                self.greeting = answer

    def ask(self, line):
        self.settle()
        if not self.processes.left():
            raise Late("no time was left")
        self.tell(line)
        return self.next()

    def tell(self, line):
        self.asked = time.monotonic()
        self.owed += 1
        try:
            self.child.stdin.write(line + "\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            pass  # why it has ended is said on its standard error

    def next(self):
        try:
            answer = self.answers.get(timeout=self.processes.left())
        except queue.Empty:
            seconds = time.monotonic() - self.asked
            if seconds < PATIENCE:
                raise Late(f"no answer in {seconds:.2g} s") from None
            self.stop()
            raise ServerError(f"no answer in {seconds:.2g} s, it was ended") from None
        self.owed -= 1
        if answer is None:
            self.said.seek(0)
            words = self.said.read().decode(errors="replace").strip().splitlines()
            self.stop()
            raise ServerError(words[-1] if words else "it ended without a word")
        return json.loads(answer)

    def stop(self):
        if self.child is not None:
            self.processes.stop(self.child)
            with contextlib.suppress(BrokenPipeError):
                self.child.stdin.close()
            self.said.close()
            self.child = None


def listen(lines, answers):
    with lines:
        for line in lines:
            answers.put(line)
    answers.put(None)
