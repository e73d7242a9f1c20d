// The machine's own limits, on all threads of the pool: what other cases are a share of.

#include <cstring>

#include "base/buffer.h"
#include "base/job.h"
#include "base/thread_pool.h"
#include "bench/bench.h"
#include "cpu/kernels.h"

namespace flab::bench {
namespace {

constexpr int64_t kBytes = int64_t{256} << 20;  // beyond every cache
constexpr int64_t kParts = 64;

// Keeps a result from being optimised away.
volatile float sink;

std::function<void()> Copy() {
  auto from = std::make_shared<Buffer<std::byte>>(kBytes), to = std::make_shared<Buffer<std::byte>>(kBytes);
  std::memset(from->data(), 1, kBytes);
  std::memset(to->data(), 2, kBytes);
  return [from, to] {
    const int64_t threads = ThreadPool::Process().threads(), part = kBytes / threads / 64 * 64;
    // memcpy reads every line that it overwrites, unless a piece is larger than what it takes the caches for.
    Job().Parallel(threads, [&](int64_t i) { ActiveKernels().store_past_caches(from->data() + i * part, part, to->data() + i * part); });
  };
}

std::function<void()> Read() {
  auto values = std::make_shared<Buffer<float>>(kBytes / 4);
  for (int64_t i = 0; i < values->size(); ++i) (*values)[i] = 1;
  return [values] {
    Job().Parallel(kParts, [&](int64_t part) {
      typedef float Vector __attribute__((vector_size(64)));
      const auto* vectors = reinterpret_cast<const Vector*>(values->data() + part * (values->size() / kParts));
      Vector sums[4] = {};
      for (int64_t i = 0; i < values->size() / kParts / 16; i += 4) {
        for (int j = 0; j < 4; ++j) sums[j] += vectors[i + j];
      }
      sink = (sums[0] + sums[1] + sums[2] + sums[3])[0];
    });
  };
}

// One tile of a product again and again on the same inputs, all in the L1 cache: the arithmetic alone.
constexpr int64_t kDepth = 256, kRounds = 20000;

std::function<void()> Arithmetic(bool bf16) {
  auto inputs = std::make_shared<Buffer<float>>(kDepth * (16 + kPanel));
  for (int64_t i = 0; i < inputs->size(); ++i) (*inputs)[i] = 1e-3f * Noise(i);
  return [inputs, bf16] {
    Job().Parallel(ThreadPool::Process().threads(), [&](int64_t) {
      const Kernels& kernels = ActiveKernels();
      const float* a = inputs->data();
      const float* b = a + kDepth * 16;
      alignas(64) float c[16 * kPanel] = {};
      for (int64_t i = 0; i < kRounds; ++i) {
        if (bf16 && kernels.tile_bf16) {
          kernels.tile_bf16(kernels.tile_rows, kDepth, reinterpret_cast<const uint32_t*>(a), reinterpret_cast<const uint32_t*>(b), c, kPanel, true);
        } else {
          kernels.tile_f32(kernels.tile_rows, kDepth, a, b, c, kPanel, true);
        }
      }
      sink = c[0];
    });
  };
}

double ArithmeticFlops(bool bf16) {
  const Kernels& kernels = ActiveKernels();
  return 2.0 * kRounds * kDepth * kernels.tile_rows * kPanel * (bf16 && kernels.tile_bf16 ? 2 : 1) * ThreadPool::Process().threads();
}

}  // namespace

void AddLimits(std::vector<Case>& cases) {
  cases.push_back({.name = "limit/copy", .bytes = 2.0 * kBytes, .prepare = Copy});
  cases.push_back({.name = "limit/read", .bytes = 1.0 * kBytes, .prepare = Read});
  cases.push_back({.name = "limit/f32", .flops = ArithmeticFlops(false), .prepare = [] { return Arithmetic(false); }});
  cases.push_back({.name = "limit/bf16", .flops = ArithmeticFlops(true), .prepare = [] { return Arithmetic(true); }});
}

}  // namespace flab::bench
