"""What this machine has."""

import glob
import importlib.metadata
import os
import pathlib
import platform
import re
import shutil
import site
import sys

import tools
from states import Failed

TOOLS = {"nvcc": r"release ([\d.]+)", "cmake": r"version ([\d.]+)", "c++": r"\) ([\d.]+)", "compute-sanitizer": r"Version ([\d.]+)"}
PACKAGES = ("torch", "transformers", "nvidia-cublas", "nvidia-cublas-cu12")
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def look(report, step, processes):
    """The GPU, its driver, what builds and what is compared with."""
    machine = report.machine
    machine["nvccElsewhere"] = tools.find(os.environ)
    machine.update(python=platform.python_version(), cores=len(os.sched_getaffinity(0)), tools=tools_found(processes), packages=packages_found())
    if report.emulated:
        machine["gpu"] = "emulated"
        return
    machine["cublaslt"] = find_cublaslt()
    if not shutil.which("nvidia-smi"):
        raise Failed("nvidia-smi is not there")
    smi = processes.run(["nvidia-smi", "--query-gpu=name,driver_version,memory.total,compute_cap", "--format=csv,noheader"], 20)
    if smi.code != 0:
        step.tail(smi.output)
        raise Failed(f"nvidia-smi {smi.how()}")
    name, driver, memory, capability = (field.strip() for field in smi.output.splitlines()[0].split(","))
    machine.update(gpu=name, driver=driver, memory=memory, computeCapability=capability)


def tools_found(processes):
    found = {}
    for tool, pattern in TOOLS.items():
        if shutil.which(tool):
            said = re.search(pattern, processes.run([tool, "--version"], 20).output)
            found[tool] = said.group(1) if said else "unknown"
    return found


def packages_found():
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def find_cublaslt():
    """Path of cuBLASLt: what FLAB_CUBLASLT or FLAB_PRODUCTS names, else of the Python packages, else of the toolkit; None if there is none."""
    named = os.environ.get("FLAB_CUBLASLT") or os.environ.get("FLAB_PRODUCTS")
    if named:
        return named
    folders = [f"{folder}/{lib}" for folder in [*sys.path, *site.getsitepackages()] for lib in ("nvidia/*/lib", "torch/lib")]
    nvcc = shutil.which("nvcc")
    toolkits = [*([str(pathlib.Path(nvcc).resolve().parent.parent)] if nvcc else []), "/usr/local/cuda*"]
    folders += [f"{toolkit}/{lib}" for toolkit in toolkits for lib in ("lib64", "targets/*/lib", "lib")] + ["/usr/lib/x86_64-linux-gnu"]
    found = [path for version in (13, 12) for folder in folders for path in sorted(glob.glob(f"{folder}/libcublasLt.so.{version}"))]
    return found[0] if found else None
