// Runs the sources of the CUDA kernels on a CPU, to find what is wrong with their logic where there is no GPU: slow, and strict.
//
// Each thread of a block is a fiber. A fiber runs until it meets a barrier or exchanges values with its warp; which one runs next,
// and for how long its warp runs before others do, is drawn, so that what one thread reads of another without a barrier between them is
// sometimes not there yet, or there no more. A copy that a kernel starts asynchronously is made at once or when it is waited for, as
// is drawn; blocks run from the first or from the last. Shared memory begins as NaN, and memory ends where it ends: the next byte cannot be
// read. What the device computes only nearly is off by what it may be. A barrier that not all threads reach, a warp whose lanes do different things, an address that is not aligned, memory that is
// nobody's or more shared memory than every device has, end the process with a sentence.
//
// The part of the runtime's interface that the backend uses is here under its own names. Streams are queues: what is put into one
// is done at once or only when somebody waits for it, as is drawn, so that a missing wait shows.
//
// FLAB_EMULATED_SEED=N chooses what is drawn; with the same calls and the same N all is done in the same order.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define threadIdx (::flab::emulator::ThisThread().thread)
#define blockIdx (::flab::emulator::ThisThread().block)
#define blockDim (::flab::emulator::ThisThread().threads)
#define gridDim (::flab::emulator::ThisThread().blocks)

using std::max;
using std::min;

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

namespace flab::emulator {

struct Place {
  dim3 thread, block, threads, blocks;
};

// Of the thread that runs.
const Place& ThisThread();

// Shared memory of the running block; the launch said how much there is.
void* Shared(size_t bytes);

// All threads of the block that have not ended.
void Barrier();

// Every lane of the warp gives `bytes` and gets those of all 32, one after the other; lanes that have ended give NaN. `kind` and the
// size must be the same for all. Valid until the lane's next exchange.
const void* Exchange(const char* kind, const void* bytes, size_t size);

// cuda/tensor_core.cuh says what it does.
void MultiplyTile(float* c, const uint32_t* a, const uint32_t* b);

// 2^x as ex2.approx.ftz gives it: up to two units in the last place off, by the number itself, and zero where it is subnormal.
float Exp2(float x);

// Copies the first `bytes` of 16, and zeros after them, at some time before the thread has waited for its group.
void CopyLater(void* shared, const void* global, int bytes);
void EndGroup();
void WaitForGroups(int left);

// Refuses bytes that are not all of shared memory or of one allocation: the allocation's page may hold a few more that nobody asked for.
void CheckPlace(const void* address, size_t bytes);

// Ends the process: what the running thread did is wrong.
[[noreturn]] void Refuse(const char* what, const void* address = nullptr);

// What is put into a stream is done in order, when somebody waits for it or before. Put is virtual so that a library beside the
// backend reaches it through the object alone; false after a fault.
struct Stream {
  virtual ~Stream() = default;
  virtual bool Put(std::function<void()> task);
  std::deque<std::function<void()>> queue;
  uint64_t put = 0, done = 0;
};

// Refuses an argument of a kernel with an address of the host in it.
void CheckArgument(const char* kernel, const void* argument, size_t bytes);

// A launch, put into the stream. `name` is for messages.
void Launch(Stream* stream, const char* name, dim3 blocks, unsigned threads, size_t shared, std::function<void()> kernel);

// Work of the host on the device's memory, put into the stream: what a library's kernels would do.
void Host(Stream* stream, std::function<void()> task);

}  // namespace flab::emulator

inline void __syncthreads() { flab::emulator::Barrier(); }
inline void __syncwarp() { flab::emulator::Exchange("__syncwarp", nullptr, 0); }

// ---- the runtime's interface ----
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInitializationError = 3,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInvalidMemcpyDirection = 21,
  cudaErrorStubLibrary = 34,
  cudaErrorInsufficientDriver = 35,
  cudaErrorCallRequiresNewerDriver = 36,
  cudaErrorDevicesUnavailable = 46,
  cudaErrorInvalidDeviceFunction = 98,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorNoKernelImageForDevice = 209,
  cudaErrorJitCompilerNotFound = 221,
  cudaErrorUnsupportedPtxVersion = 222,
  cudaErrorJitCompilationDisabled = 223,
  cudaErrorOperatingSystem = 304,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchOutOfResources = 701,
  cudaErrorNotSupported = 801,
  cudaErrorSystemNotReady = 802,
  cudaErrorSystemDriverMismatch = 803,
  cudaErrorCompatNotSupportedOnDevice = 804,
  cudaErrorMpsConnectionFailed = 805,
  cudaErrorMpsServerNotReady = 807,
  cudaErrorMpsMaxClientsReached = 808,
  cudaErrorMpsMaxConnectionsReached = 809,
  cudaErrorUnknown = 999
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrL2CacheSize = 38,
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrComputeCapabilityMinor = 76,
  cudaDevAttrMemoryPoolsSupported = 115
};
constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2;
using cudaStream_t = flab::emulator::Stream*;
using cudaEvent_t = struct flab_emulated_event*;
struct cudaDeviceProp {
  char name[256];
};
struct cudaFuncAttributes {};

const char* cudaGetErrorString(cudaError_t error);
const char* cudaGetErrorName(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaMemGetInfo(size_t* available, size_t* total);
cudaError_t cudaMalloc(void** memory, size_t bytes);
cudaError_t cudaFree(void* memory);
cudaError_t cudaMallocAsync(void** memory, size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream);
cudaError_t cudaMallocHost(void** memory, size_t bytes);
cudaError_t cudaFreeHost(void* memory);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
