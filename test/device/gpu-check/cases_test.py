import unittest

import benchmark
import cases
from main_test import script


def case(name, limit="", flops=0, **more):
    return {"name": name, "limit": limit, "bytes": 1e9, "flops": flops, "tokens": 0, **more}


HEAD = case("gpu/kl-head/bf16/4096x92416/256 tokens/8 candidates", "gpu/limit/bf16", 2e12)
PRODUCT = case("gpu/product/bf16/2304x4096x92416", "gpu/limit/bf16", 2e12)
SWEEPS = [case("gpu/sweep/bf16/codeqwen-7b/16x512/last positions", "gpu/limit/bf16", 1.8e15), case("gpu/sweep/bf16/codeqwen-7b/64x512/last positions", "gpu/limit/bf16", 7e15)]
# As flab_bench lists them on a GPU.
ALL = [
    *(case(f"gpu/limit/{name}") for name in ("copy", "read", "upload", "bf16", "f32")),
    case("gpu/slice-rows/92416x4096/keep13000", "gpu/limit/copy"),
    case("gpu/slice-columns/4096x13440/keep13184", "gpu/limit/copy"),
    case("gpu/upload/bf16/49536x4096", "gpu/limit/upload"),
    *(case(f"gpu/kl/{name}", "gpu/limit/read") for name in ("bf16/512x92416", "f32/512x92416", "bf16/2048x151936")),
    *(case(f"gpu/{kind}/{size}", "gpu/limit/bf16") for size in ("bf16/4096x4096x26880", "bf16/4096x13440x4096", "f32/4096x4096x4096") for kind in ("product", "product-own")),
    PRODUCT,
    case("gpu/product-own/bf16/2304x4096x92416", "gpu/limit/bf16"),
    HEAD,
    *(case(f"gpu/forward/bf16/codeqwen-7b/8x512/{kind}", "gpu/limit/bf16", 3e13) for kind in ("states", "last logits", "all logits")),
    *SWEEPS,
]


def names(found):
    return [found["name"] for found in found]


class Cases(unittest.TestCase):
    def test_the_most_important_come_first_and_after_what_they_are_compared_with(self):
        found = names(cases.in_order(ALL))
        self.assertEqual(list(dict.fromkeys(map(cases.operation, found)))[:5], ["gpu/limit", "gpu/kl", "gpu/product", "gpu/kl-head", "gpu/slice-rows"])
        self.assertEqual(found.index(HEAD["name"]), found.index(PRODUCT["name"]) + 1)
        self.assertEqual([name for name in names(cases.in_order(reversed(ALL))) if "sweep" in name], names(SWEEPS), "the longer one comes last")
        self.assertLess(found.index(SWEEPS[1]["name"]), found.index("gpu/upload/bf16/49536x4096"))

    def test_an_operation_that_is_not_known_comes_last(self):
        self.assertEqual(names(cases.in_order([case("gpu/new/a"), *ALL]))[-1], "gpu/new/a")

    def test_the_time_that_is_kept_for_all_is_that_of_the_step(self):
        kept = benchmark.START_SECONDS + sum(map(cases.seconds_of, cases.chosen(ALL, [], [])))
        self.assertLessEqual(kept, script["STEPS"]["benchmark"][1])

    def test_what_takes_minutes_is_timed_where_it_is_named(self):
        self.assertEqual([found for found in cases.chosen(ALL, [], []) if cases.is_long(found)], [])
        self.assertEqual(names(cases.chosen(ALL, ["64x512"], ["gpu/limit/bf16"])), [SWEEPS[1]["name"]])

    def test_chosen_ones_come_with_what_they_are_a_share_of_unless_that_was_timed(self):
        self.assertEqual(set(names(cases.chosen(ALL, ["kl-head"], []))), {"gpu/limit/bf16", PRODUCT["name"], HEAD["name"]})
        self.assertEqual(names(cases.chosen(ALL, ["kl-head"], ["gpu/limit/bf16", PRODUCT["name"]])), [HEAD["name"]])
