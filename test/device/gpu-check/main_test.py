import runpy
import unittest

from machine import ROOT

script = runpy.run_path(str(ROOT / "scripts/gpu_check/__main__.py"), run_name="script")


class Steps(unittest.TestCase):
    def test_what_is_kept_for_all_steps_is_there_and_twenty_seconds_less_than_eight_minutes(self):
        self.assertLessEqual(sum(seconds for _, seconds in script["STEPS"].values()), script["SECONDS"])
        self.assertLessEqual(script["SECONDS"], 460)

    def test_what_takes_long_and_tells_least_comes_last(self):
        self.assertEqual(list(script["STEPS"])[-4:], ["benchmark", "racecheck", "synccheck", "initcheck"])
