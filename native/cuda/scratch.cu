#include "cuda/scratch.h"

#include "cuda/operations.h"

namespace flab::cuda {

Scratch::~Scratch() {
  for (void* memory : taken_) cudaFreeAsync(memory, device_->compute);
}

int Scratch::TakeBytes(int64_t bytes, void** memory) {
  const cudaError_t error = cudaMallocAsync(memory, static_cast<size_t>(bytes), device_->compute);
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
