import pathlib
import re
import tempfile
import unittest
from unittest import mock

import sources
import steps
from fakes import FakeProcesses, FakeReport, step
from machine import ROOT
from states import Failed


class Build(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=ROOT / "build")
        self.addCleanup(folder.cleanup)
        self.tree = pathlib.Path(folder.name)
        patch = mock.patch("steps.tree", return_value=self.tree)
        self.addCleanup(patch.stop)
        patch.start()

    def build(self, code=0, **machine):
        """Runs the step, with a CMake that makes empty programs if it ends with 0."""

        def end(words):
            for program in steps.PROGRAMS if "--build" in words and code == 0 else []:
                (self.tree / program).parent.mkdir(exist_ok=True)
                (self.tree / program).touch()
            return code if "--build" in words else 0, ""

        processes, found = FakeProcesses(end), step()
        try:
            steps.build(FakeReport(**machine), found, processes)
        except Failed:
            pass
        return processes.commands, found

    def test_cmake_is_told_of_an_nvcc_that_is_not_on_the_path_and_of_no_other(self):
        self.assertIn("-DCMAKE_CUDA_COMPILER=/there/nvcc", self.build(nvccElsewhere="/there/nvcc")[0][0])
        self.assertFalse([word for word in self.build(nvccElsewhere=None)[0][0] if "CUDA_COMPILER" in word])

    def test_what_was_built_of_the_same_sources_in_the_same_way_is_used_again(self):
        self.assertEqual([len(self.build()[0]), len(self.build()[0])], [2, 0])
        self.assertEqual(len(self.build(computeCapability="10.0")[0]), 2)
        (self.tree / steps.PROGRAMS[0]).unlink()
        self.assertEqual(len(self.build(computeCapability="10.0")[0]), 2)

    def test_a_change_of_any_file_that_is_compiled_is_seen(self):
        (self.tree / "native").mkdir()
        (self.tree / "CMakeLists.txt").write_text("")
        with mock.patch("sources.ROOT", self.tree):
            found = [sources.fingerprint()]
            for text in ("int a;", "int b;"):
                (self.tree / "native/a.cu").write_text(text)
                found.append(sources.fingerprint())
        self.assertEqual(len(set(found)), 3)

    def test_a_build_that_fails_leaves_no_programs_of_other_sources_and_is_tried_again(self):
        self.build()
        with mock.patch("steps.fingerprint", return_value="others"):
            commands, _ = self.build(code=2)
            self.assertFalse([program for program in steps.PROGRAMS if (self.tree / program).exists()])
            self.assertEqual((len(commands), len(self.build()[0])), (2, 2))



class Tests(unittest.TestCase):
    TITLES = ["backend: rotate", "backend: what is allocated is not available, until it is released", "backend: top_k gives back the memory that it takes", "backend: swiglu"]

    def test_tests_that_look_at_free_memory_run_by_themselves_after_the_others(self):
        processes = FakeProcesses(lambda words: (0, "\n".join(self.TITLES)) if "--list" in words else (1, "1 passed, 3 failed\n"))
        found = step()
        with self.assertRaisesRegex(Failed, "ended with 1; 4 of 4 tests fail or take too long when they are run alone"):
            steps.kernels_alone(FakeReport(), found, processes)
        several, alone = processes.groups
        self.assertEqual(several, ([self.TITLES[0], self.TITLES[3]], steps.AT_A_TIME))
        self.assertEqual(alone, (self.TITLES[1:3], 1))
        self.assertEqual(list(found["failedAlone"]), [self.TITLES[0], self.TITLES[3], *self.TITLES[1:3]])

    def test_each_word_of_those_that_look_at_free_memory_is_in_a_title(self):
        sources = "".join(path.read_text() for path in (ROOT / "native/backend/conformance").glob("*_test.cc"))
        titles = re.findall(r'TEST\("(.+?)"\)', sources)
        self.assertEqual([words for words in steps.LOOK_AT_MEMORY if not any(words in title for title in titles)], [])
