#include "cuda/scratch.h"

#include "cuda/operations.h"

namespace flab::cuda {

Scratch::~Scratch() {
  if (!device_->has_pools && !taken_.empty()) cudaStreamSynchronize(device_->compute);
  for (void* memory : taken_) device_->has_pools ? cudaFreeAsync(memory, device_->compute) : cudaFree(memory);
}

int Scratch::TakeBytes(int64_t bytes, void** memory) {
  taken_.reserve(taken_.size() + 1);  // so that nothing is thrown once there is memory
  const size_t size = static_cast<size_t>(bytes);
  const cudaError_t error = device_->has_pools ? cudaMallocAsync(memory, size, device_->compute) : cudaMalloc(memory, size);
  if (error == cudaSuccess) {
    taken_.push_back(*memory);
    return FLAB_OK;
  }
  if (error != cudaErrorMemoryAllocation) return Fail(error, "taking scratch memory");
  cudaGetLastError();  // it is no fault, and must not be found by the next launch
  int64_t available = 0;
  Available(device_, &available);
  return FailMemory(bytes, available);
}

}  // namespace flab::cuda
