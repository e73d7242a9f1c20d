import contextlib
import io
import json
import pathlib
import tempfile
import unittest

from cases_test import case
from processes import Processes
from report import Report, line
from states import Failed, TimedOut

NAMES = ["machine", "build", "kernels", "benchmark", "racecheck"]


def late(report, step, processes):
    raise TimedOut("took more than 8 s")


def bad(report, step, processes):
    raise Failed("2 tests failed")


class Reports(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "report.json"

    def call(self, *, day=1, gpu="H100", sources="a", words=(), emulated=False, **steps):
        """A call with these steps, and what it has written."""
        report = Report(self.path, emulated, NAMES, ["build", *steps], words)
        report.content["date"] = f"2026-01-0{day}"

        def build(report, step, processes):
            report.machine["gpu"] = gpu
            report.identify(sources)

        with contextlib.redirect_stdout(io.StringIO()):
            for name, step in {"build": build, **steps}.items():
                report.run(name, step, Processes(60))
        return report, json.loads(self.path.read_text())

    def states(self, found):
        return {name: step["state"] for name, step in found["steps"].items()}

    def test_a_second_call_keeps_what_it_does_not_try_again_with_its_date(self):
        _, first = self.call(kernels=bad, racecheck=late)
        report, second = self.call(day=2, racecheck=lambda *_: None)
        self.assertEqual(self.states(first), {"build": "passed", "kernels": "failed", "racecheck": "timed out"})
        self.assertEqual(self.states(second), {"build": "passed", "kernels": "failed", "racecheck": "passed"})
        self.assertEqual(second["steps"]["kernels"], first["steps"]["kernels"])
        self.assertRegex(report.summary(), r"\nkernels: failed, 2 tests failed, 0.0 s, 2026-01-01\nracecheck: passed, 0.0 s\n")

    def test_how_a_call_ends_is_said_of_its_own_steps(self):
        self.assertFalse(self.call(kernels=bad)[0].passed())
        self.assertTrue(self.call(racecheck=lambda *_: None)[0].passed())

    def test_what_was_found_of_other_sources_or_another_gpu_goes_to_another_file(self):
        _, first = self.call(kernels=bad)
        self.assertEqual(list(self.call(sources="b", racecheck=bad)[1]["steps"]), ["build", "racecheck"])
        self.assertEqual(json.loads(self.path.with_name("report.older.json").read_text()), first)
        self.assertEqual(list(self.call(sources="b", gpu="H200", kernels=bad)[1]["steps"]), ["build", "kernels"])

    def test_the_report_of_an_emulated_run_and_a_file_that_is_none_are_not_kept(self):
        self.call(kernels=bad)
        self.assertEqual(list(self.call(emulated=True, racecheck=bad)[1]["steps"]), ["build", "racecheck"])
        self.path.write_text("{")
        self.assertEqual(list(self.call(racecheck=bad)[1]["steps"]), ["build", "racecheck"])

    def bench(self, **seconds):
        def run(report, step, processes):
            for name, found in seconds.items():
                report.add_result({**case(f"gpu/kl/{name}"), "peers": {}, **({"medianSeconds": found, "bestSeconds": found} if found else {"error": "late", "cut": True})})

        return run

    def test_a_case_replaces_its_older_result_unless_it_had_no_time(self):
        self.call(benchmark=self.bench(a=1, b=2, c=None))
        found = self.call(day=2, benchmark=self.bench(a=3, b=None, c=4))[1]["benchmark"]
        self.assertEqual({result["name"][-1]: (result.get("medianSeconds"), result["date"][-1]) for result in found}, {"a": (3, "2"), "b": (2, "1"), "c": (4, "2")})

    def test_results_of_other_sources_go_too(self):
        self.call(benchmark=self.bench(a=1))
        self.assertEqual(self.call(sources="b", racecheck=bad)[1]["benchmark"], [])

    def test_what_had_no_time_is_named_with_the_command_for_just_that(self):
        def cut(report, step, processes):
            self.bench(a=1, b=None)(report, step, processes)
            raise TimedOut("no time was left")

        report, _ = self.call(kernels=bad, benchmark=cut, racecheck=late)
        self.assertEqual(report.again()[0], "For want of time: benchmark, racecheck. To run just that, into the same report:")
        self.assertEqual(report.again()[1], f"scripts/gpu-check.sh --report {self.path} --steps benchmark,racecheck --cases gpu/kl/b")
        self.assertEqual(self.call(benchmark=self.bench(b=1), racecheck=lambda *_: None)[0].again(), [])

    def test_a_benchmark_that_did_not_come_to_its_cases_is_named_whole(self):
        self.call(benchmark=self.bench(a=None))
        report = Report(self.path, False, NAMES, ["build", "benchmark"])
        self.assertEqual(report.again()[1], f"scripts/gpu-check.sh --report {self.path} --steps build,benchmark")

    def test_the_page_is_written_beside_it_and_says_what_other_calls_found(self):
        self.call(kernels=bad, benchmark=self.bench(a=1))
        self.call(day=2, benchmark=self.bench(b=1))
        page = self.path.with_suffix(".md").read_text()
        self.assertRegex(page, "^H100, 2026-01-02\n\nFound by the call of 2026-01-01: kernels, gpu/kl/a.\n\n")
        self.call(day=3, racecheck=bad)
        page = self.path.with_suffix(".md").read_text()
        self.assertIn("\n\nFound by the call of 2026-01-01: kernels, gpu/kl/a.\n\nFound by the call of 2026-01-02: benchmark.\n\n", page)

    def test_of_many_tests_that_fail_the_first_are_named_and_the_others_counted(self):
        self.assertEqual(line({"state": "failed", "failedAlone": dict.fromkeys("abcdefghijklmno"), "seconds": 1}), "failed, a, b, c, d, e, f, g, h, i, j, k, l, 3 more, 1 s")

    def test_a_build_that_was_there_says_so(self):
        self.assertEqual(line({"state": "passed", "reused": True, "seconds": 0}), "passed, built before, 0 s")
