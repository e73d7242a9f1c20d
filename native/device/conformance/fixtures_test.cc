// Tiny checkpoints of every family on a device against numbers that transformers computed (test/oracle), without Node:
// FLAB_CUDA_LIBRARY names the backend's library, FLAB_PRODUCTS that of products.

#include <cmath>
#include <cstdlib>
#include <numeric>

#include "base/testing.h"
#include "device/conformance/fixtures.h"
#include "device/engine.h"
#include "prune/layer_scores.h"
#include "prune/measure.h"

namespace flab::conformance {
namespace {

// f32: every sum has at most 160 terms and every value passes through 4 layers; 1e-5 is 80 units in the last place.
constexpr double kLogitTolerance = 1e-5, kScoreTolerance = 1e-4;

std::unique_ptr<Model> OpenOnDevice(const Fixture& fixture, Compute compute) {
  auto model = fixture.Open(compute);
  model->UseEngine(std::make_unique<DeviceEngine>(Device::Open(OpenBackend("flab_cuda.so"), 0, std::getenv("FLAB_PRODUCTS"), 0), *model));
  return model;
}

ModelView Whole(const Model& model) {
  ModelView view;
  view.layers.resize(model.spec.layers);
  view.tokens.resize(model.spec.vocabulary);
  std::iota(view.layers.begin(), view.layers.end(), 0);
  std::iota(view.tokens.begin(), view.tokens.end(), 0);
  return view;
}

// Some of the fixture's texts, packed.
struct Packed {
  Packed(const Fixture& fixture, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      const std::vector<int32_t> text = fixture.Ids(name);
      ids.insert(ids.end(), text.begin(), text.end());
      offsets.push_back(static_cast<int32_t>(ids.size()));
    }
  }
  Texts texts() const { return {ids, offsets}; }
  std::vector<int32_t> ids, offsets = {0};
};

// The reference's values of several texts, one after the other.
std::vector<float> ValuesOf(const Fixture& fixture, const std::string& before, const std::vector<std::string>& texts, const std::string& after = "") {
  std::vector<float> values;
  for (const std::string& text : texts) {
    const std::vector<float> more = fixture.Values(before + text + after);
    values.insert(values.end(), more.begin(), more.end());
  }
  return values;
}

// |got - expected| relative to |expected|, both as vectors.
double RelativeError(std::span<const float> got, std::span<const float> expected) {
  CHECK(got.size() == expected.size(), got.size(), " numbers for ", expected.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    difference += std::pow(static_cast<double>(got[i]) - expected[i], 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / norm);
}

TEST("device: logits of packed texts are those of transformers, of every family") {
  for (const std::string& name : FixtureNames()) {
    const Fixture fixture(name);
    const auto model = OpenOnDevice(fixture, Compute::kF32);
    const std::vector<std::string> names = {"a", "b", "one"};
    Job job;
    const Buffer<float> logits = Logits(job, *model, Whole(*model), Packed(fixture, names).texts(), PositionKind::kAll);
    const double error = RelativeError({logits.data(), static_cast<size_t>(logits.size())}, ValuesOf(fixture, "logits.", names));
    EXPECT(error < kLogitTolerance, name, ": relative error ", error);
  }
}

TEST("device: scores of layers are those of removing each layer in transformers, of every family") {
  for (const std::string& name : FixtureNames()) {
    const Fixture fixture(name);
    const auto model = OpenOnDevice(fixture, Compute::kF32);
    const Packed packed(fixture, {"a", "b"});
    Job job;
    const LayerScores all = ScoreLayers(job, *model, Whole(*model), packed.texts(), {.positions = PositionKind::kAll, .losses = true});
    const LayerScores last = ScoreLayers(job, *model, Whole(*model), packed.texts(), {});
    for (int64_t layer = 0; layer < fixture.spec.layers; ++layer) {
      const std::string after = std::string(".").append(std::to_string(layer));
      const std::vector<float> divergences = ValuesOf(fixture, "kl.", {"a", "b"}, after);
      const double mean = std::accumulate(divergences.begin(), divergences.end(), 0.0) / static_cast<double>(divergences.size());
      const double mean_last = (static_cast<double>(fixture.Values("kl.a" + after).back()) + fixture.Values("kl.b" + after).back()) / 2;
      EXPECT(std::fabs(all.divergence[layer] / mean - 1) < kScoreTolerance, name, " layer ", layer, ", all: ", all.divergence[layer], " for ", mean);
      EXPECT(std::fabs(last.divergence[layer] / mean_last - 1) < kScoreTolerance, name, " layer ", layer, ", last: ", last.divergence[layer], " for ", mean_last);
    }
  }
}

TEST("device: in bf16, logits are within its rounding, and nearer to f32 than transformers in bf16") {
  const Fixture fixture("llama-bf16-sharded");
  const auto model = OpenOnDevice(fixture, Compute::kBF16);
  Job job;
  const Buffer<float> logits = Logits(job, *model, Whole(*model), Packed(fixture, {"a"}).texts(), PositionKind::kAll);
  const std::vector<float> exact = fixture.Values("logits.a");
  const double ours = RelativeError({logits.data(), static_cast<size_t>(logits.size())}, exact), theirs = RelativeError(fixture.Values("logits_bf16.a"), exact);
  // Each factor is off by at most 2^-9 of it, at random: a few times that after the layers. transformers rounds after every operation.
  EXPECT(ours > kLogitTolerance && ours < 0x1p-6 && ours < theirs, "relative error ", ours, ", transformers' ", theirs);
}

}  // namespace
}  // namespace flab::conformance
