import sys
import time
import unittest

from processes import Processes


class Turns(unittest.TestCase):
    def lefts(self, seconds, seconds_of, spend=lambda name: None):
        processes, found = Processes(seconds), {}
        for name in processes.in_turn(seconds_of):
            found[name] = processes.left()
            spend(name)
        return found

    def assertAbout(self, found, expected):
        """Within a second, of which a machine that does something else may take some."""
        self.assertEqual(list(found), list(expected))
        for name, seconds in expected.items():
            self.assertAlmostEqual(found[name], seconds, delta=1, msg=name)

    def test_each_has_what_the_later_ones_do_not_need(self):
        self.assertAbout(self.lefts(100, {"a": 20, "b": 30, "c": 10}), {"a": 60, "b": 90, "c": 100})

    def test_where_there_is_too_little_each_has_its_part(self):
        self.assertAbout(self.lefts(30, {"a": 20, "b": 30, "c": 10}), {"a": 10, "b": 25, "c": 30})

    def test_turns_within_a_turn_leave_the_time_of_the_outer_ones(self):
        processes = Processes(100)
        for name in processes.in_turn({"a": 50, "b": 50}):
            inner = [round(processes.left()) for _ in processes.in_turn({"x": 30, "y": 20})]
            self.assertEqual(inner, {"a": [30, 50], "b": [80, 100]}[name])


class Programs(unittest.TestCase):
    def test_one_that_is_too_slow_is_ended_and_one_that_comes_too_late_is_not_begun(self):
        processes = Processes(60)
        slow = processes.run([sys.executable, "-c", "import time; time.sleep(30)"], 0.2)
        self.assertTrue(slow.timed_out and slow.how() == "took more than 0.2 s", slow.how())
        processes.end()
        late = processes.run(["/no/such/program"])
        self.assertEqual((late.timed_out, late.how()), (True, "came too late"))

    def test_of_several_no_more_run_at_a_time_than_may(self):
        say = "import time; print(time.monotonic()); time.sleep(0.3); print(time.monotonic())"
        ends = Processes(60).run_each({name: [sys.executable, "-c", say] for name in "abc"}, 1)
        times = [float(word) for name in "abc" for word in ends[name].output.split()]
        self.assertEqual(times, sorted(times))
