#pragma once

#include "cuda/launch.cuh"

namespace flab::cuda {

// Products of any shape, stride and alignment, without a library: on tensor cores, and in f32. `processors` are those of the device;
// with them the size of the tiles is chosen. It changes no bit: each output is the sum of its products in the order of the depth,
// however the outputs are cut into tiles, and what was there is added at the end. Rows of factors that do not begin at 16 bytes are
// read number by number: right, but slow.
int MultiplyBf16(cudaStream_t stream, const FlabMatmul& call, int processors);
int MultiplyF32(cudaStream_t stream, const FlabMatmul& call, int processors);

}  // namespace flab::cuda
