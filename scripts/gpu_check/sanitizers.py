"""A few tests of each kernel under compute-sanitizer, whose tools make everything ten to a hundred times slower."""

import shutil

from machine import ROOT
from states import Failed, Skipped, TimedOut
from steps import environment, tree

# Sets of tests, a process each: how their titles begin, after "backend: ". Every kernel is in one; tests of what happens to memory
# that is free are in none, as several processes share the GPU.
SETS = {
    "rms_norm": ["rms_norm is that"],
    "rotate": ["rotate takes positions again"],
    "attention": ["attention within a window", "attention of last tokens"],
    "swiglu": ["swiglu is that", "sums of activations are"],
    "matmul": ["matmul takes any strides", "matmul without depth"],
    "gather": ["gather_rows and scatter_rows", "gather_columns of more rows"],
    "elementwise": ["convert takes any count", "embed is", "add_bias adds"],
    "divergences": ["divergences from 0.5", "a peak that moves"],
    "rows of matrices": ["rows of matrices of any two dtypes"],
    "losses": ["losses are"],
    "squares": ["squares of rows", "cosines are"],
    "top_k": ["of equal scores top_k"],
}
# top_k sorts with CUB's kernels. Their warps share memory without barriers, and read whole tiles at the end of what was written: known
# to be right, and reported all the same. Leaving out those kernels alone would make initcheck call what they write unwritten.
NOT_UNDER = {"racecheck": ["top_k"], "initcheck": ["top_k"]}
AT_A_TIME = 8  # processes on the GPU; most of a set's time is its start
UNSUPPORTED = "Device not supported"


def sanitize(tool):
    def run(report, step, processes):
        check_titles()
        if report.emulated:
            raise Skipped("the emulator has checks of its own")
        if not shutil.which("compute-sanitizer"):
            raise Skipped("compute-sanitizer is not there")
        # Errors of the API are what some tests provoke.
        options = ["--report-api-errors", "no"] if tool == "memcheck" else []
        command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "86", *options, tree(report) / "tests" / "flab_backend_tests"]
        sets = {name: [*command, *(f"backend: {words}" for words in SETS[name])] for name in SETS if name not in NOT_UNDER.get(tool, [])}
        judge(step, processes.run_each(sets, AT_A_TIME, env=environment(report, "")))

    return run


def check_titles():
    """A set whose test has another title by now would find nothing."""
    sources = "".join(path.read_text() for path in (ROOT / "native/backend/conformance").glob("*_test.cc"))
    gone = [words for beginnings in SETS.values() for words in beginnings if f'TEST("backend: {words}' not in sources]
    if gone:
        raise Failed(f"no test's title begins with {', '.join(gone)}")


def judge(step, ends):
    step["sets"] = {name: "passed" if ended.code == 0 else ended.how() for name, ended in ends.items()}
    refusals = [line.strip("= ") for ended in ends.values() for line in ended.output.splitlines() if UNSUPPORTED in line]
    # It runs the program then, and checks nothing: on some machines that are shared it may not look into the GPU.
    if all(UNSUPPORTED in ended.output for ended in ends.values()):
        raise Skipped(refusals[0])
    bad = {name: ended for name, ended in ends.items() if ended.code != 0 or UNSUPPORTED in ended.output}
    if bad:
        step.tail("\n".join(ended.output for ended in bad.values()))
        reason = ", ".join(f"{name} {ended.how()}" for name, ended in bad.items())
        raise TimedOut(reason) if all(ended.timed_out for ended in bad.values()) else Failed(reason)
