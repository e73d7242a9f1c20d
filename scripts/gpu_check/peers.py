"""What cases are compared with: the server of bench/gpu_peers.py, or why there is none."""

import importlib.util
import sys

from machine import ROOT
from servers import Late, Server, ServerError


class NoPeers(Exception):
    pass


class Peers:
    def __init__(self, report, processes, build, cases):
        self.why, self.server = None, None
        if report.emulated:
            self.why = "PyTorch knows no emulator"
        elif importlib.util.find_spec("torch") is None:
            self.why = "torch is not installed"
        else:
            setup = {"device": "cuda", "models": build["gpu"]["models"], "cases": {case["name"]: case for case in cases}}
            self.server = Server(processes, [sys.executable, ROOT / "bench" / "gpu_peers.py"], {"HF_HUB_OFFLINE": "1"}, setup)
            self.server.start()

    def greeting(self):
        """What the server says of itself when it is ready. Raises Late if it is not, and NoPeers if it never will be."""
        if self.why:
            raise NoPeers(self.why)
        try:
            self.server.settle()
        except Late:
            raise
        except ServerError as error:
            # One that does not even begin is not begun again for every case.
            if self.server.greeting is None:
                self.why = str(error)
                raise NoPeers(self.why) from None
        return self.server.greeting

    def of(self, name):
        """The names of a case's peers."""
        greeting = self.greeting()
        missing = [package for beginning, package in greeting["missing"].items() if name.startswith(f"{beginning}/")]
        if missing:
            raise NoPeers(f"{missing[0]} is not installed")
        return next((names for beginning, names in greeting["peers"].items() if name.startswith(f"{beginning}/")), [])

    def stop(self):
        if self.server:
            self.server.stop()
