import unittest
from unittest import mock

import sanitizers
from fakes import FakeProcesses, FakeReport, step
from processes import Ended
from states import Failed, Skipped, TimedOut

UNSUPPORTED = '========= COMPUTE-SANITIZER\n========= Error: Device not supported. Please refer to the "Supported Devices" section\n'


def ends(*results):
    return {str(place): Ended(code, output, 1, 30) for place, (code, output) in enumerate(results)}


class Sanitizers(unittest.TestCase):
    def commands(self, tool):
        processes = FakeProcesses()
        with mock.patch("shutil.which", return_value="/there/compute-sanitizer"):
            sanitizers.sanitize(tool)(FakeReport(), step(), processes)
        return processes.commands

    def test_every_set_s_titles_are_there(self):
        sanitizers.check_titles()
        with mock.patch.dict(sanitizers.SETS, {"none": ["no such title"]}), self.assertRaisesRegex(Failed, "begins with no such title"):
            sanitizers.check_titles()

    def test_tests_that_sort_with_cub_are_not_run_by_tools_that_report_its_kernels(self):
        sorts = {tool: sum("backend: of equal scores top_k" in command for command in self.commands(tool)) for tool in ("memcheck", "racecheck", "synccheck", "initcheck")}
        self.assertEqual(sorts, {"memcheck": 1, "racecheck": 0, "synccheck": 1, "initcheck": 0})

    def test_tests_of_free_memory_are_in_no_set(self):
        self.assertFalse([command for command in self.commands("memcheck") if "gives back" in " ".join(command)])

    def test_where_the_gpu_may_not_be_looked_into_the_step_is_skipped_with_what_was_said(self):
        for code in (1, 0):
            with self.assertRaisesRegex(Skipped, '^Error: Device not supported. Please refer to the "Supported Devices" section$'):
                sanitizers.judge(step(), ends((code, UNSUPPORTED), (code, UNSUPPORTED)))

    def test_where_only_some_sets_were_not_checked_the_step_fails(self):
        with self.assertRaisesRegex(Failed, "^1 ended with 0$"):
            sanitizers.judge(step(), ends((0, "1 passed, 0 failed"), (0, UNSUPPORTED)))

    def test_a_set_that_fails_is_told_from_one_that_came_too_late(self):
        found = step()
        with self.assertRaises(Failed):
            sanitizers.judge(found, ends((86, "an error"), (None, ""), (0, "")))
        self.assertEqual(found["sets"], {"0": "ended with 86", "1": "took more than 30 s", "2": "passed"})
        with self.assertRaises(TimedOut):
            sanitizers.judge(step(), ends((None, ""), (0, "")))
