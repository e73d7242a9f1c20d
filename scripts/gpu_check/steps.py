"""Building, and the tests of the backend and of models on it."""

import os
import re
import shutil

from machine import ROOT
from sources import Built, fingerprint
from states import Failed, Skipped, TimedOut

# Words of titles; on the emulator few tests stand for all, which native/test-cuda.mjs runs.
TESTS = {"kernels": ["backend: "], "models": ["device: ", "-transformers"], "transformers": ["transformers"]}
FEW = {"kernels": ["rms_norm", "FLAB_PRODUCTS"], "models": ["device: logits", "-transformers"], "transformers": ["nearer to f32 than transformers"]}
# Of tests that look at how much memory is free, which others that run at the same time would change.
LOOK_AT_MEMORY = ["more memory than there is", "what is allocated is not available", "top_k gives back the memory"]
PROGRAMS = ["flab_cuda.so", "tests/flab_backend_tests", "bench/flab_bench"]
AT_A_TIME = 5  # processes on the GPU
TOGETHER = 0.6  # of a step's time is for all tests in one process, the rest for one by one
ALONE_SECONDS = 20


def tree(report):
    """What is built lies here; for the emulator where native/test-tree.mjs has it, which is built anyway."""
    return ROOT / "build" / ("native-tests" if report.emulated else "gpu-check")


def environment(report, products):
    """For what uses the library; `products`: None for the one that was found, "" for none."""
    if products is None:
        products = str(tree(report) / "emulated" / "fake_cublaslt.so") if report.emulated else report.machine.get("cublaslt") or ""
    beside = os.path.dirname(products)
    paths = [path for path in (beside, os.environ.get("LD_LIBRARY_PATH")) if path]
    env = {"FLAB_CUDA_LIBRARY": str(tree(report) / "flab_cuda.so"), "FLAB_PRODUCTS": products}
    return {**env, "LD_LIBRARY_PATH": ":".join(paths)} if paths else env


def build(report, step, processes):
    # Without a GPU, for the one that is meant: then at least this shows whether it builds.
    architecture = report.machine.get("computeCapability", "9.0").replace(".", "") + "-real"
    nvcc = report.machine.get("nvccElsewhere")
    compiler = [f"-DCMAKE_CUDA_COMPILER={nvcc}"] if nvcc else []
    kind = ["-DFLAB_CUDA=ON", "-DFLAB_BACKEND_TESTS=ON", f"-DCMAKE_CUDA_ARCHITECTURES={architecture}", *compiler]
    if report.emulated:
        kind = ["-DFLAB_EMULATED=ON"]
    targets = ["flab_emulated" if report.emulated else "flab_cuda", "flab_backend_tests", "flab_bench"]
    built, sources = Built(tree(report), PROGRAMS), fingerprint(kind, report.machine["tools"])
    report.identify(sources)
    step["folder"] = str(tree(report).relative_to(ROOT))
    # What the emulator's folder has is what others that build there want of it; only make knows.
    if not report.emulated:
        step["reused"] = built.is_of(sources)
        if step["reused"]:
            return
        built.forget()
    generator = [] if shutil.which("make") else ["-G", "Ninja"]
    cmake(step, processes, "-S", ROOT, "-B", tree(report), *generator, "-DFLAB_ADDON=OFF", "-DFLAB_BENCH=ON", "-DCMAKE_BUILD_TYPE=Release", *kind)
    # What can't be built does not keep the rest from being built.
    go_on = ["-k", "0"] if (tree(report) / "build.ninja").exists() else ["-k"]
    cmake(step, processes, "--build", tree(report), "-j", report.machine["cores"], "--target", *targets, "--", *go_on)
    if not report.emulated:
        built.remember(sources)


def cmake(step, processes, *words):
    # An outer make's job server must not reach this one.
    ended = processes.run(["cmake", *words], env={"MAKEFLAGS": "", "MFLAGS": ""})
    if ended.code != 0:
        step.tail(ended.output)
        raise TimedOut(ended.how()) if ended.timed_out else Failed(f"cmake {ended.how()}")


def run_tests(report, step, processes, kind, products):
    """Runs tests in one process; where that fails, each in one of its own, as after a fault of the GPU all that follow fail as well."""
    program, env = tree(report) / "tests" / "flab_backend_tests", environment(report, products)
    words = (FEW if report.emulated else TESTS)[kind]
    together = processes.run([program, *words], TOGETHER * processes.left(), env)
    counts = re.findall(r"^(\d+) passed, (\d+) failed$", together.output, re.MULTILINE)
    if counts:
        step["tests"] = {"passed": int(counts[-1][0]), "failed": int(counts[-1][1])}
    if together.code == 0 and counts:
        return
    titles = processes.run([program, "--list", *words], 10, env).output.splitlines()
    ends = one_by_one(processes, program, titles, env)
    bad = {title: ended for title, ended in ends.items() if ended.code != 0}
    step["failedAlone"] = {title: ended.how() for title, ended in bad.items()}
    step.tail("\n".join(ended.output for ended in bad.values()) or together.output)
    reason = f"{together.how()}; {len(bad)} of {len(titles)} tests fail or take too long when they are run alone"
    raise TimedOut(reason) if together.timed_out and all(ended.timed_out for ended in bad.values()) else Failed(reason)


def one_by_one(processes, program, titles, env):
    """The ends of tests in processes of their own, some at a time, and after them those that no other may disturb."""
    last = [title for title in titles if any(words in title for words in LOOK_AT_MEMORY)]
    ends = {}
    for group, at_a_time in (([title for title in titles if title not in last], AT_A_TIME), (last, 1)):
        ends.update(processes.run_each({title: [program, title] for title in group}, at_a_time, ALONE_SECONDS, env))
    return ends


def kernels(report, step, processes):
    if not report.emulated and not report.machine.get("cublaslt"):
        raise Skipped("no cuBLASLt was found")
    run_tests(report, step, processes, "kernels", None)


def kernels_alone(report, step, processes):
    run_tests(report, step, processes, "kernels", "")


def models(report, step, processes):
    run_tests(report, step, processes, "models", None)


def transformers(report, step, processes):
    """The decoder against numbers that transformers computed, which are among the fixtures."""
    run_tests(report, step, processes, "transformers", None)
