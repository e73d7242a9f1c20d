#pragma once

#include <cstdint>
#include <memory>

#include "cuda/launch.cuh"
#include "cuda/products.h"

// An opened device. Kernels go into `compute`; only uploads ahead of time go elsewhere.
struct FlabDevice {
  int32_t index = 0, processors = 0;
  int has_pools = 0;  // memory can be taken and given back in a stream
  cudaStream_t compute = nullptr, upload = nullptr;
  cudaEvent_t events[FLAB_EVENTS] = {};
  std::unique_ptr<flab::cuda::Products> products;

  cudaStream_t stream(FlabStream which) const { return which == FLAB_UPLOAD ? upload : compute; }
};
