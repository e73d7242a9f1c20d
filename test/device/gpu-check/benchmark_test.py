import json
import sys
import time
import unittest
from unittest import mock

import benchmark
from cases_test import ALL, SWEEPS, case
from fakes import step
from peers import NoPeers, Peers
from processes import Ended, Processes
from servers import Late, Server, ServerError
from states import Failed, TimedOut

# Answers each line after so many seconds as it says.
SLOW = "import sys, time\nfor line in sys.stdin:\n    time.sleep(float(line)); print(float(line), flush=True)"
# Greets as the server of the peers does.
PEERS = 'import sys\nprint(\'{"ready": true}\', flush=True)\nfor line in sys.stdin: print(line.strip(), flush=True)'


class Servers(unittest.TestCase):
    def serve(self, code, seconds=60, setup=None):
        processes = Processes(seconds)
        server = Server(processes, [sys.executable, "-c", code], setup=setup)
        self.addCleanup(server.stop)
        return server, processes

    def test_an_answer_that_comes_late_is_waited_for_before_the_next_question(self):
        server, processes = self.serve(SLOW)
        self.assertEqual(server.ask("0"), 0)
        with processes.keeping(processes.left() - 0.1), self.assertRaises(Late):
            server.ask("0.5")
        child = server.child
        self.assertEqual(server.ask("0.01"), 0.01)
        self.assertIs(server.child, child)

    def test_one_that_does_not_answer_for_long_is_ended_and_begun_again(self):
        server, processes = self.serve(SLOW)
        with mock.patch("servers.PATIENCE", 0), processes.keeping(processes.left() - 0.1), self.assertRaisesRegex(ServerError, "it was ended"):
            server.ask("30")
        self.assertIsNone(server.child)
        self.assertEqual(server.ask("0"), 0)

    def test_without_time_it_is_not_asked(self):
        server, processes = self.serve(SLOW, 5)
        server.ask("0")
        with processes.keeping(5), self.assertRaises(Late):
            server.ask("30")
        self.assertEqual(server.ask("0"), 0)

    def test_its_greeting_is_the_second_thing_that_it_says(self):
        server, _ = self.serve(PEERS, setup={"a": 1})
        self.assertEqual(server.ask('{"b": 2}'), {"b": 2})
        self.assertEqual(server.greeting, {"a": 1})

    def test_what_it_says_at_its_end_is_the_error(self):
        server, _ = self.serve("import sys; sys.exit('no such thing')", setup={})
        with self.assertRaisesRegex(ServerError, "^no such thing$"):
            server.ask("0")


class FakeServer:
    def __init__(self, answers):
        self.answers, self.asked = answers, 0

    def ask(self, line):
        self.asked += 1
        answer = self.answers(self.asked)
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakePeers:
    def __init__(self, found, server=None):
        self.found, self.server = found, server

    def of(self, name):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def steady(seconds):
    return lambda asked: {"prepared": True} if asked == 1 else {"seconds": seconds}


class Timing(unittest.TestCase):
    CASE = case("gpu/kl/bf16/512x92416", "gpu/limit/read")

    def time(self, ours, peers, seconds=60):
        return benchmark.time_case(self.CASE, FakeServer(ours), peers, Processes(seconds))

    def test_the_first_run_of_ours_does_not_count(self):
        result = self.time(lambda asked: {"prepared": True} if asked == 1 else {"seconds": 9 if asked == 2 else 1}, FakePeers([]))
        self.assertEqual((result["runs"], result["medianSeconds"], result["bestSeconds"]), (benchmark.RUNS, 1, 1))

    def test_ours_are_there_where_there_is_no_peer_and_it_says_why(self):
        result = self.time(steady(1), FakePeers(NoPeers("torch is not installed")))
        self.assertEqual((result["medianSeconds"], result["noPeers"], result["peers"]), (1, "torch is not installed", {}))
        benchmark.judge([result])

    def test_a_peer_that_is_late_costs_ours_nothing_and_the_case_is_cut(self):
        late = FakeServer(lambda asked: Late("no answer in 10 s"))
        result = self.time(steady(1), FakePeers(["compiled: log_softmax"], late))
        self.assertEqual((result["medianSeconds"], result["peers"]), (1, {"compiled: log_softmax": {"error": "no answer in 10 s", "cut": True}}))
        self.assertEqual(benchmark.cut([result]), [self.CASE["name"]])
        with self.assertRaises(TimedOut):
            benchmark.judge([result])

    def test_what_was_timed_until_there_was_no_more_time_counts(self):
        result = self.time(lambda asked: {"seconds": 1} if asked < 5 else Late("no time was left"), FakePeers([]))
        self.assertEqual((result["runs"], benchmark.cut([result])), (2, []))

    def test_a_case_of_which_nothing_was_timed_in_time_is_cut_and_no_failure(self):
        result = self.time(lambda asked: Late("no answer in 3 s"), FakePeers([]))
        self.assertEqual((result["error"], benchmark.cut([result])), ("no answer in 3 s", [self.CASE["name"]]))
        with self.assertRaises(TimedOut):
            benchmark.judge([result])

    def test_a_fault_after_some_runs_is_an_error(self):
        result = self.time(lambda asked: {"seconds": 1} if asked < 5 else ServerError("an illegal memory access"), FakePeers([]))
        self.assertEqual(result["error"], "an illegal memory access")
        with self.assertRaisesRegex(Failed, "gpu/kl/bf16/512x92416: an illegal memory access"):
            benchmark.judge([result])

    def test_a_round_that_would_not_end_in_time_is_not_begun(self):
        def slow(asked):
            time.sleep(0.2)
            return {"seconds": 0.2}

        self.assertLessEqual(self.time(slow, FakePeers([]), 0.9)["runs"], 3)


class Run(unittest.TestCase):
    def results(self, *words):
        """What a run with these cases chosen has found, by their names."""
        report = mock.Mock(words=list(words), results=[], emulated=True, machine={})
        report.add_result = report.results.append
        lines = [{"gpu": {"name": "H100"}}, *ALL]
        ended = Ended(0, "\n".join(map(json.dumps, lines)), 1, 1)
        peers = mock.Mock(of=lambda name: [], server=None)
        peers.greeting.return_value = {"versions": {"torch": "2"}}
        with mock.patch("benchmark.Server", lambda *_: mock.Mock(ask=lambda line: {"seconds": 1})), mock.patch("benchmark.Peers", lambda *_: peers), \
                mock.patch.object(Processes, "run", lambda *_, **__: ended):
            benchmark.run(report, step(), Processes(1000))
        return {result["name"]: result for result in report.results}

    def test_all_are_timed_but_what_takes_minutes_which_says_how(self):
        found, long = self.results(), SWEEPS[1]["name"]
        self.assertEqual(set(found), {known["name"] for known in ALL})
        self.assertEqual([name for name, result in found.items() if "medianSeconds" not in result], [long])
        self.assertEqual(found[long]["skipped"], f"takes minutes: --steps benchmark --cases '{long}'")

    def test_what_takes_minutes_is_timed_where_it_is_named(self):
        self.assertEqual({name for name, result in self.results("64x512").items() if "medianSeconds" in result}, {"gpu/limit/bf16", SWEEPS[1]["name"]})


class WhichPeers(unittest.TestCase):
    def peers(self, code, missing_torch=False):
        processes = Processes(60)
        report = mock.Mock(emulated=False)
        build = {"gpu": {"models": []}}
        with mock.patch("peers.importlib.util.find_spec", return_value=None if missing_torch else "there"), \
                mock.patch("peers.Server", lambda processes, command, env, setup: Server(processes, [sys.executable, "-c", code], env, setup)):
            peers = Peers(report, processes, build, [])
        self.addCleanup(peers.stop)
        return peers

    def greeting(self, missing):
        return f'print(1); print(\'{{"peers": {{"gpu/kl": ["eager: a"]}}, "missing": {missing}}}\', flush=True); input(); input()'

    def test_a_case_whose_peers_lack_a_package_has_none_and_others_have_theirs(self):
        peers = self.peers(self.greeting('{"gpu/sweep": "transformers"}'))
        self.assertEqual((peers.of("gpu/kl/bf16/1x1"), peers.of("gpu/kl-head/bf16")), (["eager: a"], []))
        with self.assertRaisesRegex(NoPeers, "^transformers is not installed$"):
            peers.of("gpu/sweep/bf16/a")

    def test_without_pytorch_no_case_has_any(self):
        with self.assertRaisesRegex(NoPeers, "^torch is not installed$"):
            self.peers("", missing_torch=True).of("gpu/kl/bf16/1x1")

    def test_a_server_that_does_not_begin_is_tried_once(self):
        peers = self.peers("import sys; sys.exit('no GPU')")
        for _ in range(2):
            with self.assertRaisesRegex(NoPeers, "^no GPU$"):
                peers.of("gpu/kl/bf16/1x1")
        self.assertIsNone(peers.server.child)
