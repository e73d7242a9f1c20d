#pragma once

#include "cuda/launch.cuh"

namespace flab::cuda {

// Products of any shape, stride and alignment, without a library: on tensor cores, and in f32.
int MultiplyBf16(cudaStream_t stream, const FlabMatmul& call);
int MultiplyF32(cudaStream_t stream, const FlabMatmul& call);

}  // namespace flab::cuda
