import sys
import unittest
from unittest import mock

from processes import Processes


class Turns(unittest.TestCase):
    def setUp(self):
        self.now = 0
        patch = mock.patch("processes.time.monotonic", lambda: self.now)
        self.addCleanup(patch.stop)
        patch.start()

    def lefts(self, seconds, seconds_of, takes={}, vital=()):
        processes, found = Processes(seconds), {}
        for name in processes.in_turn(seconds_of, vital):
            found[name] = processes.left()
            self.now += takes.get(name, 0)
        return found

    def test_each_has_what_the_later_ones_do_not_need(self):
        self.assertEqual(self.lefts(100, {"a": 20, "b": 30, "c": 10}), {"a": 60, "b": 90, "c": 100})

    def test_what_one_does_not_take_is_there_for_those_after_it(self):
        self.assertEqual(self.lefts(60, {"a": 20, "b": 30, "c": 10}, {"a": 5, "b": 45}), {"a": 20, "b": 45, "c": 10})

    def test_where_there_is_too_little_each_has_its_part(self):
        self.assertEqual(self.lefts(30, {"a": 20, "b": 30, "c": 10}, {"a": 10, "b": 15}), {"a": 10, "b": 15, "c": 5})

    def test_a_vital_one_may_take_half_of_the_others_time(self):
        self.assertEqual(self.lefts(60, {"a": 20, "b": 30, "c": 10}, {"a": 40, "b": 15}, vital=["a"]), {"a": 40, "b": 15, "c": 5})

    def test_turns_within_a_turn_leave_the_time_of_the_outer_ones(self):
        processes = Processes(100)
        for name in processes.in_turn({"a": 50, "b": 50}):
            inner = [processes.left() for _ in processes.in_turn({"x": 30, "y": 20})]
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
