// Scores of FFN neurons from activations in memory.

#include <memory>

#include "base/buffer.h"
#include "bench/bench.h"
#include "prune/neuron_scores.h"

namespace flab::bench {
namespace {

struct Matrix {
  Matrix(Dtype dtype, int64_t rows, int64_t columns) : memory(rows * columns * ItemBytes(dtype)) {
    for (int64_t i = 0; i < rows * columns; ++i) {
      const float value = Noise(i);
      const uint16_t half = ToBF16(value);
      std::memcpy(memory.data() + i * ItemBytes(dtype), dtype == Dtype::kF32 ? reinterpret_cast<const std::byte*>(&value) : reinterpret_cast<const std::byte*>(&half), ItemBytes(dtype));
    }
    tensor = {memory.data(), dtype, rows, columns, nullptr, "matrix"};
  }
  Buffer<std::byte> memory;
  Tensor tensor;
};

}  // namespace

void AddNeurons(std::vector<Case>& cases) {
  for (const Dtype dtype : {Dtype::kBF16, Dtype::kF32}) {
    for (const auto& [neurons, width] : {std::pair<int64_t, int64_t>{1536, 576}, {4864, 896}, {13440, 4096}}) {
      constexpr int64_t kTokens = 4096;
      for (const NeuronMetric metric : {NeuronMetric::kActivation, NeuronMetric::kWanda}) {
        const bool wanda = metric == NeuronMetric::kWanda;
        cases.push_back({.name = std::string("neurons/") + (wanda ? "wanda/" : "activation/") + (dtype == Dtype::kF32 ? "f32/" : "bf16/") + std::to_string(kTokens) + "x" + std::to_string(neurons),
                         .limit = Limit::kRead,
                         .bytes = 1.0 * (kTokens + (wanda ? width : 0)) * neurons * ItemBytes(dtype),
                         .prepare = [=, neurons = neurons, width = width]() -> std::function<void()> {
                           auto activations = std::make_shared<Matrix>(dtype, kTokens, neurons), down = std::make_shared<Matrix>(dtype, width, neurons);
                           return [=] {
                             const std::vector<double> squares = wanda ? ColumnSquares(Job(), down->tensor) : std::vector<double>(neurons, 1);
                             ScoreByActivations(metric, SumActivations(Job(), activations->tensor), squares);
                           };
                         }});
      }
    }
  }
}

}  // namespace flab::bench
