"""Building, the tests of the backend and of models on it, and the sanitizers."""

import concurrent.futures
import os
import re
import shutil
import time

from machine import ROOT
from report import Failed, Skipped, TimedOut

# Words of titles; on the emulator few tests stand for all, which native/test-cuda.mjs runs.
TESTS = {"kernels": ["backend: "], "models": ["device: ", "-transformers"], "transformers": ["transformers"]}
FEW = {"kernels": ["rms_norm", "FLAB_PRODUCTS"], "models": ["device: logits", "-transformers"], "transformers": ["nearer to f32 than transformers"]}
# How titles of the sanitizers' tests begin, after "backend: ". A sanitizer makes everything ten to a hundred times slower: a process each.
SANITIZED = ["rms_norm", "rotate", "attention", "swiglu", "sums of activations", "matmul", "gather", "convert", "embed", "add_bias", "divergences",
             "rows of matrices", "losses", "squares", "cosines", "top_k"]
SANITIZER_SECONDS = 45  # for all sets with a tool
AT_A_TIME = 5  # processes on the GPU


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
    step["folder"] = str(tree(report).relative_to(ROOT))
    generator = [] if shutil.which("make") else ["-G", "Ninja"]
    cmake(step, processes, "-S", ROOT, "-B", tree(report), *generator, "-DFLAB_ADDON=OFF", "-DFLAB_BENCH=ON", "-DCMAKE_BUILD_TYPE=Release", *kind)
    # What can't be built does not keep the rest from being built.
    go_on = ["-k", "0"] if (tree(report) / "build.ninja").exists() else ["-k"]
    cmake(step, processes, "--build", tree(report), "-j", report.machine["cores"], "--target", *targets, "--", *go_on)


def cmake(step, processes, *words):
    # An outer make's job server must not reach this one.
    ended = processes.run(["cmake", *words], 150, {"MAKEFLAGS": "", "MFLAGS": ""})
    if ended.code != 0:
        step.tail(ended.output)
        raise TimedOut(ended.how()) if ended.timed_out else Failed(f"cmake {ended.how()}")


def run_tests(report, step, processes, kind, products, limit):
    """Runs tests in one process; where that fails, each in one of its own, as after a fault of the GPU all that follow fail as well."""
    program, env = tree(report) / "tests" / "flab_backend_tests", environment(report, products)
    words = (FEW if report.emulated else TESTS)[kind]
    together = processes.run([program, *words], limit, env)
    counts = re.findall(r"^(\d+) passed, (\d+) failed$", together.output, re.MULTILINE)
    if counts:
        step["tests"] = {"passed": int(counts[-1][0]), "failed": int(counts[-1][1])}
    if together.code == 0 and counts:
        return
    titles = processes.run([program, "--list", *words], 10, env).output.splitlines()
    alone = run_each(processes, titles, limit, 20, lambda title: ([program, title], env))
    bad = {title: ended for title, ended in alone.items() if ended.code != 0}
    step["failedAlone"] = {title: ended.how() for title, ended in bad.items()}
    step.tail("\n".join(ended.output for ended in bad.values()) or together.output)
    reason = f"{together.how()}; {len(bad)} of {len(titles)} tests fail when they are run alone"
    raise TimedOut(reason) if together.timed_out and not bad else Failed(reason)


def run_each(processes, names, seconds, each_seconds, program_of):
    """The ends of several programs by their names, some at a time; those that begin too late have no time at all."""
    end = time.monotonic() + seconds

    def run(name):
        command, env = program_of(name)
        return processes.run(command, max(0, min(each_seconds, end - time.monotonic())), env)

    pool = concurrent.futures.ThreadPoolExecutor(AT_A_TIME)
    try:
        return dict(zip(names, pool.map(run, names)))
    except BaseException:
        processes.end()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def kernels(report, step, processes):
    if not report.emulated and not report.machine.get("cublaslt"):
        raise Skipped("no cuBLASLt was found")
    run_tests(report, step, processes, "kernels", None, 60)


def kernels_alone(report, step, processes):
    run_tests(report, step, processes, "kernels", "", 60)


def models(report, step, processes):
    run_tests(report, step, processes, "models", None, 45)


def transformers(report, step, processes):
    """The decoder against numbers that transformers computed, which are among the fixtures."""
    run_tests(report, step, processes, "transformers", None, 45)


def sanitize(tool):
    def run(report, step, processes):
        titles = "".join(path.read_text() for path in (ROOT / "native/backend/conformance").glob("*_test.cc"))
        gone = [beginning for beginning in SANITIZED if f'TEST("backend: {beginning}' not in titles]
        if gone:
            raise Failed(f"no test's title begins with {', '.join(gone)}")
        if report.emulated:
            raise Skipped("the emulator has checks of its own")
        if not shutil.which("compute-sanitizer"):
            raise Skipped("compute-sanitizer is not there")
        options = ["--report-api-errors", "no"] if tool == "memcheck" else []
        command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "86", *options, tree(report) / "tests" / "flab_backend_tests"]
        program_of = lambda beginning: ([*command, f"backend: {beginning}"], environment(report, ""))
        ends = run_each(processes, SANITIZED, SANITIZER_SECONDS, SANITIZER_SECONDS, program_of)
        step["sets"] = {beginning: "passed" if ended.code == 0 else ended.how() for beginning, ended in ends.items()}
        bad = {beginning: ended for beginning, ended in ends.items() if ended.code != 0}
        if bad:
            step.tail("\n".join(ended.output for ended in bad.values()))
            reason = ", ".join(f"{beginning} {ended.how()}" for beginning, ended in bad.items())
            raise TimedOut(reason) if all(ended.timed_out for ended in bad.values()) else Failed(reason)

    return run
