"""Prunes a checkpoint from a Python program, such as the end of a training script: one call, one JSON document back.

    python3 examples/from_python.py [MODEL] [OUT]
"""
import json
import subprocess
import sys
from pathlib import Path

data = Path(__file__).parent / "tiny-coder" / "data"
arguments = dict(enumerate(sys.argv))
model, out = arguments.get(1, "examples/tiny-coder"), arguments.get(2, "pruned")


def flab_pruner(*command: str) -> dict:
    """Runs flab-pruner and gives its report. Fails with the error's code, message and hint."""
    done = subprocess.run(["flab-pruner", *command, "--json"], stdout=subprocess.PIPE, text=True)
    answer = json.loads(done.stdout)  # the report, or the error: {"error": {"code", "message", "hint", ...}}
    if done.returncode != 0:
        error = answer["error"]
        raise RuntimeError(f"{error['code']}: {error['message']} {error.get('hint', '')}")
    return answer


report = flab_pruner(
    "prune", model, "--out", out, "--force",
    "--calibration", str(data / "calibration.jsonl"), "--max-texts", "16",
    "--drop-layers", "1", "--ffn-width", "0.9", "--ffn-strategy", "wanda",
)
before, after = report["plan"]["stages"][0], report["plan"]["stages"][-1]
print(f"{before['parameters']} parameters before, {after['parameters']} after, KL {after['divergence']:.3f} nats")
