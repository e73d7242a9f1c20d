"""CUDA's programs, also where nobody put them on the PATH."""

import glob
import os
import re
import shutil

INSTALLED = "/usr/local/cuda*"


def find(environ, installed=INSTALLED):
    """Adds the folders of CUDA's programs to the end of the PATH. Gives nvcc's path if only that made it be found."""
    known = shutil.which("nvcc", path=environ.get("PATH", ""))
    environ["PATH"] = os.pathsep.join([environ.get("PATH", ""), *folders(environ, known, installed)]).strip(os.pathsep)
    return None if known else shutil.which("nvcc", path=environ["PATH"])


def folders(environ, nvcc, installed):
    # A link to nvcc may stand alone, as that of a package does: compute-sanitizer is beside what it leads to.
    beside = [os.path.dirname(os.path.realpath(nvcc))] if nvcc else []
    named = [os.path.join(environ[name], "bin") for name in ("CUDA_HOME", "CUDA_PATH") if environ.get(name)]
    return [*beside, *named, *(os.path.join(toolkit, "bin") for toolkit in sorted(glob.glob(installed), key=order, reverse=True))]


def order(toolkit):
    """The one without a version is the one that was chosen for this machine; of the others the newest is best."""
    numbers = [int(number) for number in re.findall(r"\d+", os.path.basename(toolkit))]
    return not numbers, numbers
