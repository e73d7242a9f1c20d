// Matrix products of the decoder's shapes: f32 inputs times packed weights.

#include <memory>

#include "bench/bench.h"
#include "cpu/matmul.h"

namespace flab::bench {
namespace {

std::function<void()> Product(Compute compute, int64_t rows, int64_t depth, int64_t outputs) {
  struct State {
    Buffer<float> a, c;
    PackedMatrix weights;
  };
  Buffer<float> a(rows * depth), w(outputs * depth);
  for (int64_t i = 0; i < a.size(); ++i) a[i] = Noise(i);
  for (int64_t i = 0; i < w.size(); ++i) w[i] = Noise(i + 7);
  const Tensor tensor{reinterpret_cast<const std::byte*>(w.data()), Dtype::kF32, outputs, depth, nullptr, "w"};
  const Tensor* tensors[] = {&tensor};
  auto state = std::make_shared<State>(State{std::move(a), Buffer<float>(rows * outputs), Pack(Job(), Format(ActiveKernels(), compute), tensors)});
  return [=] { Matmul(Job(), state->a.data(), depth, rows, state->weights, state->c.data(), outputs, false); };
}

}  // namespace

void AddProducts(std::vector<Case>& cases) {
  constexpr int64_t kShapes[][3] = {{2048, 4096, 4096}, {4096, 576, 1536}, {4096, 896, 4864}, {4096, 1024, 3328}, {256, 1024, 92416}, {64, 4096, 92416}};
  for (const Compute compute : {Compute::kBF16, Compute::kF32}) {
    for (const auto& [rows, depth, outputs] : kShapes) {
      const bool bf16 = compute == Compute::kBF16;
      cases.push_back({.name = std::string("product/") + (bf16 ? "bf16/" : "f32/") + std::to_string(rows) + "x" + std::to_string(depth) + "x" + std::to_string(outputs),
                       .limit = bf16 ? Limit::kBF16 : Limit::kF32,
                       .flops = 2.0 * rows * depth * outputs,
                       .prepare = [=, rows = rows, depth = depth, outputs = outputs] { return Product(compute, rows, depth, outputs); }});
    }
  }
}

}  // namespace flab::bench
