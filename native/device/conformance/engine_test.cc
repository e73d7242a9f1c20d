// A model on a device against the same model on the CPU: logits, divergences, losses, rankings and searches, with all weights there and
// with streamed ones, and when the device fails. FLAB_CUDA_LIBRARY names the backend's library.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "device/engine.h"
#include "model/testing_model.h"
#include "prune/layer_scores.h"
#include "prune/measure.h"
#include "prune/neuron_scores.h"
#include "prune/walk_store.h"

namespace flab {
namespace {

using namespace testing_model;

std::shared_ptr<Device> OpenTestDevice(int64_t limit = 0) {
  return Device::Open(OpenBackend("flab_cuda.so"), 0, std::getenv("FLAB_PRODUCTS"), limit);
}

struct Pair {
  explicit Pair(Compute compute) {
    tiny.compute = compute;
    cpu = tiny.Open();
    there = tiny.Open();
    device = OpenTestDevice();
    there->UseEngine(std::make_unique<DeviceEngine>(device, *there));
  }
  Tiny tiny = TheTiny();
  std::unique_ptr<Model> cpu, there;
  std::shared_ptr<Device> device;
};

// Both round the same factors in the same places and sum them in f32 in another order. A sum of k products is off by about
// sqrt(k) 2^-24; through the layers of the tiny model that stays below 2^-18 of the largest logit. With bf16, one such difference may
// round a factor to its neighbour, 2^-8 of it away, in one of many summands.
double LogitTolerance(Compute compute, double largest) { return largest * (compute == Compute::kF32 ? 0x1p-18 : 0x1p-7); }

const SomeTexts& TestTexts() {
  static const SomeTexts texts({9, 1, 33, 70, 2});
  return texts;
}

TEST("device: logits are those of the CPU, for all positions and for last ones") {
  for (const Compute compute : {Compute::kF32, Compute::kBF16}) {
    const Pair pair(compute);
    for (const PositionKind kind : {PositionKind::kAll, PositionKind::kLast}) {
      Job job;
      ModelView view = Whole();
      view.layers = {0, 2, 3};
      view.neurons = {All(37), {1, 5, 6, 30}, All(20)};
      view.tokens = testing::Random(5).Indices(kSpec.vocabulary, 0.9);
      const Buffer<float> expected = Logits(job, *pair.cpu, view, TestTexts().texts(), kind), got = Logits(job, *pair.there, view, TestTexts().texts(), kind);
      CHECK(got.size() == expected.size());
      double largest = 0, difference = 0;
      for (int64_t i = 0; i < got.size(); ++i) {
        largest = std::max(largest, std::fabs(static_cast<double>(expected[i])));
        difference = std::max(difference, std::fabs(static_cast<double>(expected[i]) - got[i]));
      }
      EXPECT(difference <= LogitTolerance(compute, largest), difference, " of ", largest);
    }
  }
}

// Of divergences: their relative error is that of the logits' differences.
void ExpectClose(const std::vector<double>& got, const std::vector<double>& expected, double tolerance, const char* what) {
  CHECK(got.size() == expected.size(), what);
  for (size_t i = 0; i < got.size(); ++i) EXPECT(testing::Near(got[i], expected[i], tolerance * std::fabs(expected[i]) + 1e-9), what, " ", i, ": ", got[i], " for ", expected[i]);
}

void ExpectSameScores(const LayerScores& got, const LayerScores& expected, double tolerance) {
  ExpectClose(got.divergence, expected.divergence, tolerance, "divergence");
  ExpectClose(got.loss, expected.loss, tolerance, "loss");
  ExpectClose(got.block_influence, expected.block_influence, tolerance, "influence");
  ExpectClose(got.block_influence_last, expected.block_influence_last, tolerance, "influence of last tokens");
  ExpectClose(got.angular, expected.angular, tolerance, "angles");
}

double ScoreTolerance(Compute compute) { return compute == Compute::kF32 ? 1e-4 : 0.05; }

TEST("device: layers have the scores that they have on the CPU, by every measure") {
  for (const Compute compute : {Compute::kF32, Compute::kBF16}) {
    const Pair pair(compute);
    for (const PositionKind positions : {PositionKind::kLast, PositionKind::kAll}) {
      for (const bool losses : {false, true}) {
        Job job;
        ModelView view = Whole();
        view.layers = {0, 1, 3};
        const LayerScoresOptions options{.positions = positions, .losses = losses};
        ExpectSameScores(ScoreLayers(job, *pair.there, view, TestTexts().texts(), options), ScoreLayers(job, *pair.cpu, view, TestTexts().texts(), options), ScoreTolerance(compute));
      }
    }
  }
}

TEST("device: a greedy search keeps states between its steps, and races, as on the CPU") {
  const Pair pair(Compute::kF32);
  WalkStore here, there;
  ModelView view = Whole();
  for (int step = 0; step < 2; ++step) {
    Job job;
    const LayerScoresOptions options{.keep = true};
    const LayerScores expected = ScoreLayers(job, *pair.cpu, view, TestTexts().texts(), options, &here);
    const LayerScores got = ScoreLayers(job, *pair.there, view, TestTexts().texts(), options, &there);
    ExpectSameScores(got, expected, ScoreTolerance(Compute::kF32));
    const auto best = std::min_element(expected.divergence.begin(), expected.divergence.end()) - expected.divergence.begin();
    EXPECT(std::min_element(got.divergence.begin(), got.divergence.end()) - got.divergence.begin() == best);
    view.layers.erase(view.layers.begin() + best);
  }
  Job job;
  EXPECT(RaceLayers(job, *pair.there, Whole(), TestTexts().texts(), PositionKind::kLast).survivors == RaceLayers(job, *pair.cpu, Whole(), TestTexts().texts(), PositionKind::kLast).survivors);
}

TEST("device: candidates are measured, and neurons ranked, as on the CPU") {
  for (const Compute compute : {Compute::kF32, Compute::kBF16}) {
    const Pair pair(compute);
    Job job;
    ModelView shorter = Whole(), thinner = Whole();
    shorter.layers = {0, 1, 3};
    thinner.neurons.assign(4, All(30));
    const std::vector<uint32_t> tokens = testing::Random(6).Indices(kSpec.vocabulary, 0.8);
    const HeadSums expected = Measure(job, *pair.cpu, tokens, {shorter, thinner}, TestTexts().texts(), PositionKind::kAll, true);
    const HeadSums got = Measure(job, *pair.there, tokens, {shorter, thinner}, TestTexts().texts(), PositionKind::kAll, true);
    ExpectClose(got.divergence, expected.divergence, ScoreTolerance(compute), "divergence");
    ExpectClose(got.loss, expected.loss, ScoreTolerance(compute), "loss");
    ExpectClose({got.reference_loss}, {expected.reference_loss}, ScoreTolerance(compute), "loss of the reference");
    EXPECT(got.positions == expected.positions && got.loss_tokens == expected.loss_tokens);

    const std::vector<NeuronMetric> metrics = {NeuronMetric::kMagnitude, NeuronMetric::kActivation, NeuronMetric::kWanda, NeuronMetric::kFluctuation};
    const auto ranks = RankNeurons(job, *pair.there, shorter, TestTexts().texts(), metrics), on_cpu = RankNeurons(job, *pair.cpu, shorter, TestTexts().texts(), metrics);
    for (size_t i = 0; i < metrics.size(); ++i) ExpectClose(ranks[i], on_cpu[i], ScoreTolerance(compute), "rank");
  }
}

// The least memory of the device that these texts can be measured in, as the refusal of less says.
int64_t LeastMemory(const Tiny& tiny, const SomeTexts& texts, const ModelView& view) {
  const auto model = tiny.Open();
  model->UseEngine(std::make_unique<DeviceEngine>(OpenTestDevice(1), *model));
  Job job;
  try {
    (void)Measure(job, *model, view.tokens, {view}, texts.texts(), PositionKind::kAll, true);
  } catch (const Error& error) {
    long long bytes = 0;
    CHECK(std::sscanf(std::strstr(error.what(), "expected at least"), "expected at least %lld", &bytes) == 1, error.what());
    return bytes;
  }
  CHECK(false, "a byte of memory was enough");
  return 0;
}

// 32,768 rows of the head are the most of a part.
TEST("device: a head of three parts, in several tiles each, is measured as on the CPU, kept or streamed") {
  ModelSpec spec = kSpec;
  spec.vocabulary = 66001;
  const Tiny tiny = MakeTiny(spec);
  const SomeTexts texts({7, 1, 3});
  const ModelView shorter{.layers = {0, 1, 3}, .neurons = {}, .tokens = All(spec.vocabulary)};
  const auto cpu = tiny.Open();
  Job job;
  const HeadSums expected = Measure(job, *cpu, shorter.tokens, {shorter}, texts.texts(), PositionKind::kAll, true);
  for (const int64_t limit : {int64_t{0}, LeastMemory(tiny, texts, shorter)}) {
    const auto there = tiny.Open();
    auto engine = std::make_unique<DeviceEngine>(OpenTestDevice(limit), *there);
    const DeviceEngine& opened = *engine;
    there->UseEngine(std::move(engine));
    const HeadSums got = Measure(job, *there, shorter.tokens, {shorter}, texts.texts(), PositionKind::kAll, true);
    EXPECT(opened.keeps_weights() == (limit == 0));
    ExpectClose(got.divergence, expected.divergence, ScoreTolerance(Compute::kF32), "divergence");
    ExpectClose(got.loss, expected.loss, ScoreTolerance(Compute::kF32), "loss");
  }
}

TEST("device: the same call gives the same bits, whatever ran before") {
  const Pair pair(Compute::kBF16);
  Job job;
  const LayerScores first = ScoreLayers(job, *pair.there, Whole(), TestTexts().texts(), {});
  (void)Logits(job, *pair.there, Whole(), TestTexts().texts(), PositionKind::kAll);
  EXPECT(ScoreLayers(job, *pair.there, Whole(), TestTexts().texts(), {}).divergence == first.divergence);
}

}  // namespace
}  // namespace flab
