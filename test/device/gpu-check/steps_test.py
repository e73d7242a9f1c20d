import re
import unittest

import steps
from fakes import FakeProcesses, FakeReport, step
from machine import ROOT
from report import Failed


class Build(unittest.TestCase):
    def configured(self, **machine):
        processes = FakeProcesses()
        steps.build(FakeReport(**machine), step(), processes)
        return processes.commands[0]

    def test_cmake_is_told_of_an_nvcc_that_is_not_on_the_path_and_of_no_other(self):
        self.assertIn("-DCMAKE_CUDA_COMPILER=/there/nvcc", self.configured(nvccElsewhere="/there/nvcc"))
        self.assertFalse([word for word in self.configured(nvccElsewhere=None) if "CUDA_COMPILER" in word])


class Tests(unittest.TestCase):
    TITLES = ["backend: rotate", "backend: what is allocated is not available, until it is released", "backend: top_k gives back the memory that it takes", "backend: swiglu"]

    def test_tests_that_look_at_free_memory_run_by_themselves_after_the_others(self):
        processes = FakeProcesses(lambda words: (0, "\n".join(self.TITLES)) if "--list" in words else (1, "1 passed, 3 failed\n"))
        found = step()
        with self.assertRaisesRegex(Failed, "ended with 1; 4 of 4 tests fail when they are run alone"):
            steps.kernels_alone(FakeReport(), found, processes)
        several, alone = processes.groups
        self.assertEqual(several, ([self.TITLES[0], self.TITLES[3]], steps.AT_A_TIME))
        self.assertEqual(alone, (self.TITLES[1:3], 1))
        self.assertEqual(list(found["failedAlone"]), [self.TITLES[0], self.TITLES[3], *self.TITLES[1:3]])

    def test_each_word_of_those_that_look_at_free_memory_is_in_a_title(self):
        sources = "".join(path.read_text() for path in (ROOT / "native/backend/conformance").glob("*_test.cc"))
        titles = re.findall(r'TEST\("(.+?)"\)', sources)
        self.assertEqual([words for words in steps.LOOK_AT_MEMORY if not any(words in title for title in titles)], [])
