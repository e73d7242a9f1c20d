import unittest

from cases_test import ALL, HEAD, PRODUCT, SWEEPS, case
from markdown import page
from targets import TARGETS, judged

KL, READ = "gpu/kl/bf16/512x92416", "gpu/limit/read"


def timed(found, seconds, peers=None, **more):
    numbers = lambda seconds: {"medianSeconds": seconds, "bestSeconds": seconds, "runs": 7}
    sides = {name: numbers(side) if isinstance(side, float) else side for name, side in (peers or {}).items()}
    return {**found, **numbers(seconds), "peers": sides, **more}


def report(*results, emulated=False):
    machine = {"gpu": "NVIDIA H100", "driver": "580", "cores": 16, "tools": {"nvcc": "13.0"}}
    content = {"date": "2026-01-01", "emulated": emulated, "machine": machine, "steps": {}, "benchmark": list(results)}
    return {**content, "targets": judged(content)}


def rows(found, words):
    return {(row["case"], row["peer"]): (row["measured"], row["reached"]) for row in found["targets"] if words in row["target"]}


class Targets(unittest.TestCase):
    def test_every_target_has_a_row_before_anything_was_timed(self):
        found = report()["targets"]
        self.assertEqual([row["target"] for row in found], [target.words for target in TARGETS])
        self.assertEqual({row["reached"] for row in found}, {"not measured"})

    def test_every_target_is_of_a_case_that_there_is(self):
        self.assertEqual([target.words for target in TARGETS if not any(found["name"].startswith(target.cases) for found in ALL)], [])

    def test_a_share_of_a_limit_is_of_the_best_that_anyone_reached(self):
        limit = timed(case(READ), 1.0, {"eager: torch": 0.5})
        self.assertEqual(rows(report(limit, timed(case(KL, READ), 0.625)), "rate of reading"), {(KL, READ): (0.8, "no")})
        self.assertEqual(rows(report(limit, timed(case(KL, READ), 0.5)), "rate of reading"), {(KL, READ): (1, "yes")})

    def test_of_each_kind_of_peer_its_fastest_counts(self):
        found = report(timed(HEAD, 1.0), timed(case(KL, READ), 1.0, {"eager: a": 6.0, "eager: b": 4.0, "compiled: a": 1.5}))
        self.assertEqual(rows(found, "eager"), {(KL, "eager: b"): (4, "no")})
        self.assertEqual(rows(found, "torch.compile"), {(KL, "compiled: a"): (1.5, "yes")})

    def test_the_head_is_held_against_the_same_product(self):
        found = report(timed(PRODUCT, 0.5), timed(HEAD, 1.0))
        self.assertEqual(rows(found, "LM head"), {(HEAD["name"], PRODUCT["name"]): (0.5, "no")})

    def test_a_target_without_its_peer_is_not_reached_and_says_why(self):
        sweep = timed(SWEEPS[0], 1.0, noPeers="transformers is not installed in python3")
        kl = timed(case(KL, READ), 1.0, {"eager: a": 9.0, "compiled: a": {"error": "no answer in 10 s", "cut": True}})
        found = report(sweep, kl)
        self.assertEqual(rows(found, "sweep"), {(sweep["name"], "transformers is not installed in python3"): (None, "no peer")})
        self.assertEqual(rows(found, "torch.compile"), {(KL, "no answer in 10 s"): (None, "no peer")})
        self.assertEqual(rows(found, "rate of reading"), {(KL, "its limit was not timed"): (None, "no peer")})

    def test_a_case_that_was_not_run_or_failed_is_not_measured_and_says_why(self):
        found = report({**SWEEPS[1], "peers": {}, "skipped": "takes minutes"}, {**case(KL, READ), "peers": {}, "error": "no memory"})
        self.assertEqual(rows(found, "sweep"), {(SWEEPS[1]["name"], "takes minutes"): (None, "not measured")})
        self.assertEqual(rows(found, "eager"), {(KL, "no memory"): (None, "not measured")})

    def test_the_emulator_reaches_nothing(self):
        found = report(timed(case(READ), 1.0), timed(case(KL, READ), 1.0), emulated=True)
        self.assertEqual(rows(found, "rate of reading"), {(KL, READ): (1, "emulated")})

    def test_of_f32_logits_nothing_is_wanted(self):
        self.assertEqual(rows(report(timed(case("gpu/kl/f32/512x92416", READ), 1.0)), "KL of bf16 logits"), {("gpu/kl/bf16/", "not run"): (None, "not measured")})


class Page(unittest.TestCase):
    def test_targets_that_are_missed_or_have_no_peer_are_counted_apart(self):
        found = report(timed(case(READ), 1.0), timed(case(KL, READ), 1.0, {"eager: a": 4.0}))
        self.assertIn("\nOf 9 targets: 1 reached, 1 missed, 1 without a peer, 6 not measured.\n", page(found))

    def test_it_has_the_gpu_each_target_and_each_comparison(self):
        lines = page(report(timed(case(READ), 1.0), timed(case(KL, READ), 1.0, {"eager: a": 6.0, "compiled: a": {"error": "no Triton"}}))).splitlines()
        self.assertEqual(lines[0], "NVIDIA H100, driver 580, CUDA 13.0, 16 cores, 2026-01-01")
        words = [[word.strip() for word in line.strip("|").split("|")] for line in lines]
        self.assertIn(["KL of bf16 logits, eager PyTorch", KL, "5 x", "6 x", "yes", "eager: a"], words)
        self.assertIn([KL, "1,000 ms", "1 GB/s", READ, "-", "1 x"], words)
        self.assertIn(["", "", "", "eager: a", "6,000 ms", "6 x"], words)
        self.assertIn(["", "", "", "compiled: a: no Triton", "-", "-"], words)
