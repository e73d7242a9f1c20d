"""Programs that are asked one thing at a time, a line each, and answer with a line of JSON."""

import json
import queue
import subprocess
import tempfile
import threading


class ServerError(Exception):
    pass


class Server:
    """Started when it is first asked, and again after it failed; `setup` is what it is told then (bench/peer_server.py)."""

    def __init__(self, processes, command, env=None, setup=None):
        self.processes, self.command, self.env, self.setup = processes, command, env, setup
        self.child, self.greeting = None, None

    def start(self, limit):
        self.said, self.answers = tempfile.TemporaryFile(), queue.Queue()
        self.child = self.processes.start(self.command, self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, text=True)
        threading.Thread(target=listen, args=(self.child.stdout, self.answers), daemon=True).start()
        if self.setup is not None:
            self.next(limit)
            self.greeting = self.tell(json.dumps(self.setup), limit)

    def ask(self, line, limit):
        if self.child is None:
            self.start(limit)
        return self.tell(line, limit)

    def tell(self, line, limit):
        try:
            self.child.stdin.write(line + "\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            pass  # why it has ended is said on its standard error
        return self.next(limit)

    def next(self, limit):
        try:
            answer = self.answers.get(timeout=min(limit, self.processes.left()))
        except queue.Empty:
            self.stop()
            raise ServerError(f"no answer in {limit:.0f} s") from None
        if answer is None:
            self.said.seek(0)
            words = self.said.read().decode(errors="replace").strip().splitlines()
            self.stop()
            raise ServerError(words[-1] if words else "it ended without a word")
        return json.loads(answer)

    def stop(self):
        if self.child is not None:
            self.processes.stop(self.child)
            self.child = None


def listen(lines, answers):
    for line in lines:
        answers.put(line)
    answers.put(None)
