// Memory, copies of whole ranges, and waiting.

#include "cuda/operations.h"

namespace flab::cuda {
namespace {

// CUDA promises nowhere that memory is given back only after what works with it.
void Finish(FlabDevice* device) {
  cudaSetDevice(device->index);
  for (const cudaStream_t stream : {device->compute, device->upload}) cudaStreamSynchronize(stream);
}

int Done(cudaError_t error, const char* where) { return error == cudaSuccess ? FLAB_OK : Fail(error, where); }

// Of an allocation that is not empty: some drivers call a size invalid that is more than all addresses.
bool IsTooMuch(cudaError_t error) { return error == cudaErrorMemoryAllocation || error == cudaErrorInvalidValue; }

}  // namespace

int Available(FlabDevice*, int64_t* bytes) {
  size_t available = 0, total = 0;
  const cudaError_t error = cudaMemGetInfo(&available, &total);
  *bytes = static_cast<int64_t>(available);
  return Done(error, "asking for memory that is left");
}

int Allocate(FlabDevice* device, int64_t bytes, void** memory) {
  *memory = nullptr;
  if (bytes == 0) return FLAB_OK;
  const cudaError_t error = cudaMalloc(memory, static_cast<size_t>(bytes));
  if (!IsTooMuch(error)) return Done(error, "allocating memory");
  cudaGetLastError();  // it is no fault, and must not be found by the next launch
  int64_t available = 0;
  Available(device, &available);
  return FailMemory(bytes, available);
}

void Release(FlabDevice* device, void* memory) {
  Finish(device);
  cudaFree(memory);
}

int AllocatePinned(FlabDevice*, int64_t bytes, void** memory) {
  *memory = nullptr;
  if (bytes == 0) return FLAB_OK;
  const cudaError_t error = cudaMallocHost(memory, static_cast<size_t>(bytes));
  if (!IsTooMuch(error)) return Done(error, "allocating pinned memory");
  cudaGetLastError();
  return FailWith(FLAB_OUT_OF_MEMORY, "the host has no more memory that can be pinned");
}

void ReleasePinned(FlabDevice* device, void* memory) {
  Finish(device);
  cudaFreeHost(memory);
}

int Upload(FlabDevice* device, FlabStream stream, void* to, const void* from, int64_t bytes) {
  if (bytes == 0) return FLAB_OK;
  return Done(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, device->stream(stream)), "uploading");
}

int Download(FlabDevice* device, void* to, const void* from, int64_t bytes) {
  if (bytes == 0) return FLAB_OK;
  if (const int code = Done(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, device->compute), "downloading")) return code;
  return Done(cudaStreamSynchronize(device->compute), "downloading");
}

int Copy(FlabDevice* device, void* to, const void* from, int64_t bytes) {
  if (bytes == 0) return FLAB_OK;
  return Done(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, device->compute), "copying");
}

int Clear(FlabDevice* device, void* memory, int64_t bytes) {
  if (bytes == 0) return FLAB_OK;
  return Done(cudaMemsetAsync(memory, 0, static_cast<size_t>(bytes), device->compute), "clearing");
}

int Mark(FlabDevice* device, FlabStream stream, int32_t event) {
  if (event < 0 || event >= FLAB_EVENTS) return FailWith(FLAB_BAD_CALL, "no event of that number");
  return Done(cudaEventRecord(device->events[event], device->stream(stream)), "marking");
}

int Wait(FlabDevice* device, FlabStream stream, int32_t event) {
  if (event < 0 || event >= FLAB_EVENTS) return FailWith(FLAB_BAD_CALL, "no event of that number");
  return Done(cudaStreamWaitEvent(device->stream(stream), device->events[event], 0), "waiting");
}

int WaitHere(FlabDevice* device, int32_t event) {
  if (event < 0 || event >= FLAB_EVENTS) return FailWith(FLAB_BAD_CALL, "no event of that number");
  return Done(cudaEventSynchronize(device->events[event]), "waiting");
}

int Synchronize(FlabDevice* device, FlabStream stream) { return Done(cudaStreamSynchronize(device->stream(stream)), "computing"); }

}  // namespace flab::cuda
