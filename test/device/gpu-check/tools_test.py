import os
import pathlib
import tempfile
import unittest

import tools


def program(folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)
    return str(folder / name)


class Tools(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        self.installed = str(self.root / "local" / "cuda*")

    def test_what_is_on_the_path_stays_the_one_that_is_used(self):
        first = program(self.root / "bin", "nvcc")
        program(self.root / "local" / "cuda" / "bin", "nvcc")
        environ = {"PATH": str(self.root / "bin")}
        self.assertIsNone(tools.find(environ, self.installed))
        self.assertEqual(tools.shutil.which("nvcc", path=environ["PATH"]), first)

    def test_a_program_beside_the_nvcc_that_a_link_leads_to_is_found(self):
        nvcc, sanitizer = (program(self.root / "toolkit" / "bin", name) for name in ("nvcc", "compute-sanitizer"))
        (self.root / "bin").mkdir()
        os.symlink(nvcc, self.root / "bin" / "nvcc")
        environ = {"PATH": str(self.root / "bin")}
        self.assertIsNone(tools.find(environ, self.installed))
        self.assertEqual(tools.shutil.which("compute-sanitizer", path=environ["PATH"]), sanitizer)

    def test_without_nvcc_on_the_path_the_one_of_cuda_home_is_found_before_installed_ones(self):
        program(self.root / "local" / "cuda" / "bin", "nvcc")
        named = program(self.root / "mine" / "bin", "nvcc")
        self.assertEqual(tools.find({"PATH": "/none", "CUDA_HOME": str(self.root / "mine")}, self.installed), named)

    def test_of_installed_ones_the_one_without_a_version_comes_first_then_the_newest(self):
        old, new = (program(self.root / "local" / name / "bin", "nvcc") for name in ("cuda-9.2", "cuda-13.0"))
        self.assertEqual(tools.find({"PATH": "/none"}, self.installed), new)
        chosen = program(self.root / "local" / "cuda" / "bin", "nvcc")
        self.assertEqual(tools.find({"PATH": "/none"}, self.installed), chosen)
        self.assertNotEqual(old, new)

    def test_where_there_is_none_none_is_found(self):
        self.assertIsNone(tools.find({}, self.installed))
