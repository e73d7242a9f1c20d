// How the files of a backend call the runtime: errors become codes, kernels are put into a stream.
#pragma once

#include "backend/backend.h"
#include "cuda/kernel.cuh"

namespace flab::cuda {

// Keeps what failed for FlabBackend::failure and gives its code. `where` is what was being done.
int Fail(cudaError_t error, const char* where);
int FailWith(int code, const char* message);
int FailMemory(int64_t asked, int64_t available);

// FLAB_OK, or what the launch before it met.
inline int Launched(const char* kernel) {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? FLAB_OK : Fail(error, kernel);
}

// Puts a kernel into the stream: `shared` bytes of shared memory. Blocks of no threads are no launch.
template <typename... Parameters, typename... Arguments>
int Launch(cudaStream_t stream, const char* name, void (*kernel)(Parameters...), dim3 blocks, unsigned threads, size_t shared, Arguments... arguments) {
  if (blocks.x == 0 || blocks.y == 0 || blocks.z == 0) return FLAB_OK;
#ifdef FLAB_EMULATE
  (emulator::CheckArgument(name, &arguments, sizeof arguments), ...);
  emulator::Launch(stream, name, blocks, threads, shared, [=] { kernel(static_cast<Parameters>(arguments)...); });
#else
  constexpr size_t kWithoutAsking = 48 << 10;
  if (shared > kWithoutAsking) {
    const cudaError_t error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared));
    if (error != cudaSuccess) return Fail(error, name);
  }
  kernel<<<blocks, threads, shared, stream>>>(static_cast<Parameters>(arguments)...);
#endif
  return Launched(name);
}

}  // namespace flab::cuda
