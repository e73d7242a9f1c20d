import unittest

import steps
from fakes import FakeProcesses, FakeReport, step


class Build(unittest.TestCase):
    def configured(self, **machine):
        processes = FakeProcesses()
        steps.build(FakeReport(**machine), step(), processes)
        return processes.commands[0]

    def test_cmake_is_told_of_an_nvcc_that_is_not_on_the_path_and_of_no_other(self):
        self.assertIn("-DCMAKE_CUDA_COMPILER=/there/nvcc", self.configured(nvccElsewhere="/there/nvcc"))
        self.assertFalse([word for word in self.configured(nvccElsewhere=None) if "CUDA_COMPILER" in word])
