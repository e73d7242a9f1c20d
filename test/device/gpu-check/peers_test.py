"""bench/gpu_peers.py with what is installed and what is not: packages of the same names that can do nothing."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

from machine import ROOT

TORCH = "float32 = bfloat16 = None\ndef set_grad_enabled(on): pass\ndef manual_seed(seed): pass\n"
ON_MODELS = {"gpu/forward", "gpu/sweep"}


class Peers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.packages = pathlib.Path(folder.name)

    def install(self, *names):
        for name in names:
            (self.packages / name / "nn").mkdir(parents=True)
            for file in ("__init__.py", "nn/__init__.py", "nn/functional.py"):
                (self.packages / name / file).write_text(TORCH if name == "torch" and file == "__init__.py" else "")

    def greeting(self, script="gpu_peers.py"):
        # -S: without the packages that this Python has.
        command = [sys.executable, "-S", "-B", ROOT / "bench" / script]
        said = subprocess.run(command, input='{"device": "cpu"}\n', capture_output=True, text=True, env={"PYTHONPATH": str(self.packages)}, timeout=60)
        return said.returncode, said.stdout.splitlines(), said.stderr

    def test_without_transformers_only_whole_models_have_no_peers(self):
        self.install("torch")
        code, lines, said = self.greeting()
        self.assertEqual(code, 0, said)
        greeting = json.loads(lines[1])
        self.assertEqual(greeting["missing"], {beginning: "transformers" for beginning in ON_MODELS})
        self.assertFalse(ON_MODELS & set(greeting["peers"]))
        self.assertTrue({"gpu/limit", "gpu/kl", "gpu/kl-head", "gpu/product", "gpu/slice-rows", "gpu/slice-columns", "gpu/upload"} <= set(greeting["peers"]))
        self.assertNotIn("transformers", greeting["versions"])

    def test_with_both_nothing_is_missing(self):
        self.install("torch", "transformers")
        code, lines, said = self.greeting()
        self.assertEqual(code, 0, said)
        greeting = json.loads(lines[1])
        self.assertEqual(greeting["missing"], {})
        self.assertTrue(ON_MODELS <= set(greeting["peers"]))

    def test_without_pytorch_there_are_none_and_it_says_how_to_get_it(self):
        code, lines, said = self.greeting()
        self.assertEqual((code, lines), (2, []))
        self.assertRegex(said, "^torch not installed in .*: .* -m pip install torch$")

    def test_the_peers_of_the_cpu_need_both(self):
        self.install("torch")
        code, _, said = self.greeting("peers.py")
        self.assertEqual(code, 2)
        self.assertRegex(said, "^transformers not installed in .*: .* -m pip install torch transformers$")
