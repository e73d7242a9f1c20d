// KL of two matrices of logits in a GPU's memory.

#include "bench/gpu.h"

namespace flab::bench {
namespace {

struct Logits {
  Logits(const Gpu& gpu, Dtype dtype, int64_t rows, int64_t columns, int64_t turns)
      : pieces(gpu.Any((columns + FLAB_PIECE - 1) / FLAB_PIECE * rows * static_cast<int64_t>(sizeof(FlabPieceSums)))), divergences(gpu.Any(rows * 8)) {
    // About what a model's logits look like: a deviation of 3, and of 0.3 between teacher and student.
    for (int64_t turn = 0; turn < turns; ++turn) {
      p.push_back(gpu.Filled(dtype, rows * columns, [](int64_t i) { return 5.2f * Noise(i); }));
      q.push_back(gpu.Filled(dtype, rows * columns, [](int64_t i) { return 5.2f * Noise(i) + 0.52f * Noise(~i); }));
    }
  }
  std::vector<DeviceMemory> p, q;  // of each turn
  DeviceMemory pieces, divergences;
};

int Divergences(const Device& device, const Logits& logits, int64_t turn, Dtype dtype, int64_t rows, int64_t columns) {
  const int32_t kind = dtype == Dtype::kF32 ? FLAB_F32 : FLAB_BF16;
  const FlabRowDivergence call{.p = logits.p[turn].data(), .q = logits.q[turn].data(), .p_dtype = kind, .q_dtype = kind, .rows = rows, .columns = columns,
                               .pieces = logits.pieces.data<FlabPieceSums>()};
  if (const int code = device.backend.row_divergence(device.handle, &call)) return code;
  return device.backend.divergence_finish(device.handle, call.pieces, (columns + FLAB_PIECE - 1) / FLAB_PIECE, rows, logits.divergences.data<double>());
}

// `turns`: operands that are used in turns, where one would stay in the L2 cache.
Case Kl(const GpuPointer& gpu, Dtype dtype, int64_t rows, int64_t columns, int64_t turns, int64_t repeats) {
  return {.name = std::string("gpu/kl/") + (dtype == Dtype::kF32 ? "f32/" : "bf16/") + std::to_string(rows) + "x" + std::to_string(columns),
          .limit = Limit::kGpuRead,
          .bytes = 2.0 * rows * columns * ItemBytes(dtype),
          .repeats = gpu->Repeats(repeats),
          .prepare = [=]() -> std::function<void()> {
            auto logits = std::make_shared<Logits>(*gpu, dtype, rows, columns, turns);
            return Repeated(gpu->device, gpu->Repeats(repeats), [=](int64_t i) { return Divergences(*gpu->device, *logits, i % turns, dtype, rows, columns); });
          }};
}

}  // namespace

void AddGpuDivergences(std::vector<Case>& cases, const GpuPointer& gpu) {
  const bool tiny = gpu->is_emulated;
  for (const Dtype dtype : {Dtype::kBF16, Dtype::kF32}) cases.push_back(tiny ? Kl(gpu, dtype, 5, 1500, kTurns, 1) : Kl(gpu, dtype, 512, 92416, kTurns, 40));
  if (!tiny) cases.push_back(Kl(gpu, Dtype::kBF16, 2048, 151936, 1, 10));
}

}  // namespace flab::bench
