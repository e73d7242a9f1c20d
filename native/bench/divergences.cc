// KL of two matrices of logits in memory.

#include <memory>

#include "base/buffer.h"
#include "base/job.h"
#include "bench/bench.h"
#include "cpu/divergence.h"

namespace flab::bench {
namespace {

struct Logits {
  Buffer<std::byte> memory;
  Tensor tensor;
};

Logits Make(Dtype dtype, int64_t rows, int64_t columns, bool student) {
  Logits logits{Buffer<std::byte>(rows * columns * ItemBytes(dtype)), {}};
  for (int64_t i = 0; i < rows * columns; ++i) {
    // About what a model's logits look like: a deviation of 3, and of 0.3 between teacher and student.
    const float value = 5.2f * Noise(i) + (student ? 0.52f * Noise(~i) : 0);
    std::byte* item = logits.memory.data() + i * ItemBytes(dtype);
    const uint16_t half = ToBF16(value);
    std::memcpy(item, dtype == Dtype::kF32 ? reinterpret_cast<const std::byte*>(&value) : reinterpret_cast<const std::byte*>(&half), ItemBytes(dtype));
  }
  logits.tensor = {logits.memory.data(), dtype, rows, columns, nullptr, "logits"};
  return logits;
}

}  // namespace

void AddDivergences(std::vector<Case>& cases) {
  for (const Dtype dtype : {Dtype::kBF16, Dtype::kF32}) {
    for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{512, 32000}, {512, 92416}, {512, 151936}}) {
      cases.push_back({.name = std::string("kl/") + (dtype == Dtype::kF32 ? "f32/" : "bf16/") + std::to_string(rows) + "x" + std::to_string(columns),
                       .limit = Limit::kRead,
                       .bytes = 2.0 * rows * columns * ItemBytes(dtype),
                       .prepare = [=, rows = rows, columns = columns]() -> std::function<void()> {
                         struct State {
                           Logits p, q;
                           std::vector<double> out;
                         };
                         auto state = std::make_shared<State>(State{Make(dtype, rows, columns, false), Make(dtype, rows, columns, true), std::vector<double>(rows)});
                         return [=] {
                           Job().Parallel(rows, [&](int64_t row) { state->out[row] = RowDivergence(ActiveKernels(), state->p.tensor, state->q.tensor, row); });
                         };
                       }});
    }
  }
}

}  // namespace flab::bench
