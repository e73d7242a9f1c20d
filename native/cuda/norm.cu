// RMSNorm of rows: out = x / sqrt(mean(x^2) + eps) * weight.
//
// A warp per row: reads of 512 bytes lie together, and the sum over a row needs no barrier. The row is read twice; the second time
// it comes from the L1 cache (a row of 16 kB at most widths).

#include "cuda/operations.h"

namespace flab::cuda {
namespace {

constexpr int kRowsPerBlock = 8;  // a warp each

template <typename Out>
__global__ void __launch_bounds__(kRowsPerBlock* kWarp)
    RmsNormKernel(const float* __restrict__ x,        // [?, width]
                  const uint32_t* __restrict__ rows,  // [count], may be null
                  int64_t count, int64_t width,
                  const float* __restrict__ weight,  // [width]
                  float eps,
                  Out* __restrict__ out,  // [count, out_stride]
                  int64_t out_stride) {
  const int lane = threadIdx.x % kWarp;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kRowsPerBlock + threadIdx.x / kWarp;
  if (i >= count) return;
  const float* row = x + (rows ? rows[i] : i) * width;
  float squares = 0;
  for (int64_t k = lane; k < width; k += kWarp) squares += row[k] * row[k];
  const float scale = 1 / sqrtf(WarpSum(squares) / static_cast<float>(width) + eps);
  for (int64_t k = lane; k < width; k += kWarp) out[i * out_stride + k] = Rounded<Out>(row[k] * scale * weight[k]);
}

}  // namespace

int RmsNorm(FlabDevice* device, const float* x, const uint32_t* rows, int64_t count, int64_t width, const float* weight, float eps, void* out,
            int64_t out_stride, int32_t dtype) {
  const dim3 blocks{static_cast<unsigned>(CeilDivide(count, kRowsPerBlock))};
  const auto run = [&](auto* kernel, auto* to) {
    return Launch(device->compute, "RmsNorm", kernel, blocks, kRowsPerBlock * kWarp, 0, x, rows, count, width, weight, eps, to, out_stride);
  };
  return dtype == FLAB_BF16 ? run(RmsNormKernel<Bf16>, static_cast<Bf16*>(out)) : run(RmsNormKernel<float>, static_cast<float*>(out));
}

}  // namespace flab::cuda
