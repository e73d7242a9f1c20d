// A model on a device against the same model on the CPU: logits, divergences, losses, rankings and searches, with all weights there and
// with streamed ones, and when the device fails. FLAB_CUDA_LIBRARY names the backend's library.

#include <algorithm>
#include <cmath>

#include "device/conformance/testing_device.h"
#include "prune/neuron_scores.h"

namespace flab::conformance {
namespace {

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

TEST("device: a race has the same survivors as on the CPU") {
  const Pair pair(Compute::kF32);
  Job job;
  const auto survivors = [&](const Model& model) { return RaceLayers(job, model, Whole(), TestTexts().texts(), PositionKind::kLast).survivors; };
  EXPECT(survivors(*pair.there) == survivors(*pair.cpu));
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
}  // namespace flab::conformance
