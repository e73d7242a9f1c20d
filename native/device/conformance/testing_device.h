#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "device/engine.h"
#include "model/testing_model.h"
#include "prune/layer_scores.h"
#include "prune/measure.h"

// What tests of models on a device share. FLAB_CUDA_LIBRARY names the backend's library.

namespace flab::conformance {

using namespace testing_model;

inline std::shared_ptr<Device> OpenTestDevice(int64_t limit = 0) {
  return Device::Open(OpenBackend("flab_cuda.so"), 0, std::getenv("FLAB_PRODUCTS"), limit);
}

inline const SomeTexts& TestTexts() {
  static const SomeTexts texts({9, 1, 33, 70, 2});
  return texts;
}

// Of divergences: their relative error is that of the logits' differences.
inline void ExpectClose(const std::vector<double>& got, const std::vector<double>& expected, double tolerance, const char* what) {
  CHECK(got.size() == expected.size(), what);
  for (size_t i = 0; i < got.size(); ++i) EXPECT(testing::Near(got[i], expected[i], tolerance * std::fabs(expected[i]) + 1e-9), what, " ", i, ": ", got[i], " for ", expected[i]);
}

inline void ExpectSameScores(const LayerScores& got, const LayerScores& expected, double tolerance) {
  ExpectClose(got.divergence, expected.divergence, tolerance, "divergence");
  ExpectClose(got.loss, expected.loss, tolerance, "loss");
  ExpectClose(got.block_influence, expected.block_influence, tolerance, "influence");
  ExpectClose(got.block_influence_last, expected.block_influence_last, tolerance, "influence of last tokens");
  ExpectClose(got.angular, expected.angular, tolerance, "angles");
}

inline double ScoreTolerance(Compute compute) { return compute == Compute::kF32 ? 1e-4 : 0.05; }

// The least memory of the device that these texts can be measured in, as the refusal of less says.
inline int64_t LeastMemory(const Tiny& tiny, const SomeTexts& texts, const ModelView& view) {
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

}  // namespace flab::conformance
