// RMSNorm of rows: out = x / sqrt(mean(x^2) + eps) * weight.
//
// A block takes a row, with as many threads as hold it in registers: each four packs of four floats at most. So a row is read once from
// memory; 2,048 threads of a processor hold 128 kB, more than its L1 cache would keep of rows that are read twice. Rows of more than 16,384
// numbers are held in part, the rest is read again. Where rows are not aligned to four floats (their width is no multiple of 4), a pack is
// one number.

#include "cuda/operations.h"

namespace flab::cuda {
namespace {

constexpr int kHeld = 4;  // packs of a thread
constexpr int kMostThreads = 1024;

// The sum over the block, the same in every thread, always added in the same order.
__device__ __forceinline__ float BlockSum(float value) {
  float* sums = SharedArray<float>(blockDim.x / kWarp);
  value = WarpSum(value);
  if (threadIdx.x % kWarp == 0) sums[threadIdx.x / kWarp] = value;
  __syncthreads();
  float sum = 0;
  for (unsigned i = 0; i < blockDim.x / kWarp; ++i) sum += sums[i];
  return sum;
}

template <typename Out, int kPack>
__global__ void __launch_bounds__(kMostThreads)
    RmsNormKernel(const float* __restrict__ x,        // [?, width]
                  const uint32_t* __restrict__ rows,  // [count], may be null
                  int64_t width,
                  const float* __restrict__ weight,  // [width]
                  float eps,
                  Out* __restrict__ out,  // [count, out_stride]
                  int64_t out_stride) {
  using Floats = Pack<float, kPack>;
  const int64_t packs = width / kPack, i = blockIdx.x;
  const Floats* row = reinterpret_cast<const Floats*>(x + (rows ? rows[i] : i) * width);
  const Floats* weights = reinterpret_cast<const Floats*>(weight);
  float squares = 0;
  const auto add = [&](Floats floats) {
    for (const float item : floats.items) squares += item * item;
  };
  Floats held[kHeld] = {};
  for (int k = 0; k < kHeld; ++k) {
    if (const int64_t p = threadIdx.x + k * blockDim.x; p < packs) held[k] = row[p];
  }
  for (const Floats& floats : held) add(floats);
  for (int64_t p = threadIdx.x + kHeld * blockDim.x; p < packs; p += blockDim.x) add(row[p]);

  const float scale = 1 / sqrtf(BlockSum(squares) / static_cast<float>(width) + eps);
  const auto store = [&](int64_t p, Floats floats) {
    const Floats factors = weights[p];
    Pack<Out, kPack> normalised;
    for (int j = 0; j < kPack; ++j) normalised.items[j] = Rounded<Out>(floats.items[j] * scale * factors.items[j]);
    reinterpret_cast<Pack<Out, kPack>*>(out + i * out_stride)[p] = normalised;
  };
  for (int k = 0; k < kHeld; ++k) {
    if (const int64_t p = threadIdx.x + k * blockDim.x; p < packs) store(p, held[k]);
  }
  for (int64_t p = threadIdx.x + kHeld * blockDim.x; p < packs; p += blockDim.x) store(p, row[p]);
}

unsigned ThreadsFor(int64_t packs) {
  unsigned threads = kWarp;
  while (threads < kMostThreads && threads * kHeld < packs) threads *= 2;
  return threads;
}

}  // namespace

int RmsNorm(FlabDevice* device, const float* x, const uint32_t* rows, int64_t count, int64_t width, const float* weight, float eps, void* out,
            int64_t out_stride, int32_t dtype) {
  constexpr int kPack = 4;
  const int64_t item = dtype == FLAB_BF16 ? 2 : 4;
  const bool is_packed = width % kPack == 0 && out_stride % kPack == 0 && IsAligned(x, 16) && IsAligned(weight, 16) && IsAligned(out, kPack * item);
  const unsigned threads = ThreadsFor(is_packed ? width / kPack : width);
  const auto run = [&](auto* kernel, auto* to) {
    return Launch(device->compute, "RmsNorm", kernel, dim3{static_cast<unsigned>(count)}, threads, threads / kWarp * sizeof(float), x, rows, width, weight, eps, to,
                  out_stride);
  };
  if (dtype == FLAB_BF16) return run(is_packed ? RmsNormKernel<Bf16, kPack> : RmsNormKernel<Bf16, 1>, static_cast<Bf16*>(out));
  return run(is_packed ? RmsNormKernel<float, kPack> : RmsNormKernel<float, 1>, static_cast<float*>(out));
}

}  // namespace flab::cuda
