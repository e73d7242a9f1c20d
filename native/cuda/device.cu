// Devices: which there are, and opening one. What the runtime says becomes a code and a sentence here.

#include <cstdio>
#include <cstring>

#include "cuda/operations.h"

namespace flab::cuda {
namespace {

// sm_80 is the oldest that there is code for.
constexpr int kOldestMajor = 8;

thread_local FlabFailure failure;

int CodeOf(cudaError_t error) {
  switch (error) {
    case cudaErrorInsufficientDriver:
    case cudaErrorCallRequiresNewerDriver: return FLAB_OLD_DRIVER;
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice: return FLAB_NO_DEVICE;
    case cudaErrorInitializationError:
    case cudaErrorStubLibrary:
    case cudaErrorSystemNotReady:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorCompatNotSupportedOnDevice:
    case cudaErrorMpsConnectionFailed:
    case cudaErrorMpsServerNotReady: return FLAB_NO_DRIVER;
    case cudaErrorDevicesUnavailable:
    case cudaErrorMpsMaxClientsReached:
    case cudaErrorMpsMaxConnectionsReached: return FLAB_BUSY;
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorJitCompilerNotFound:
    case cudaErrorJitCompilationDisabled:
    case cudaErrorNotSupported: return FLAB_UNSUPPORTED;
    case cudaErrorMemoryAllocation: return FLAB_OUT_OF_MEMORY;
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
    case cudaErrorInvalidMemcpyDirection:
    case cudaErrorInvalidResourceHandle:
    case cudaErrorLaunchOutOfResources: return FLAB_BAD_CALL;
    default: return FLAB_FAULT;
  }
}

int Set(int code, int64_t asked, int64_t available) {
  failure.code = code;
  failure.asked = asked;
  failure.available = available;
  return code;
}

// What would be a fault of the device later is a driver that can't be used while it is opened.
int FailOpening(cudaError_t error, const char* where) {
  const int code = Fail(error, where);
  return error == cudaErrorOperatingSystem || error == cudaErrorUnknown ? Set(FLAB_NO_DRIVER, 0, 0) : code;
}

// For the device to be asked whether the library has code for it: code for compute capability 8.0 runs on 8.6, none of it on 11.0.
__global__ void ProbeKernel() {}

int FailUnsupported(const FlabDeviceInfo& info, const char* reason) {
  char message[sizeof failure.message];
  std::snprintf(message, sizeof message, "%.100s has compute capability %d.%d, %s", info.name, info.major, info.minor, reason);
  return FailWith(FLAB_UNSUPPORTED, message);
}

}  // namespace

int Fail(cudaError_t error, const char* where) {
  std::snprintf(failure.message, sizeof failure.message, "%s: %s (%s)", where, cudaGetErrorString(error), cudaGetErrorName(error));
  cudaGetLastError();  // or the next launch finds it, and takes it for its own
  return Set(CodeOf(error), 0, 0);
}

int FailWith(int code, const char* message) {
  std::snprintf(failure.message, sizeof failure.message, "%s", message);
  return Set(code, 0, 0);
}

int FailMemory(int64_t asked, int64_t available) {
  std::snprintf(failure.message, sizeof failure.message, "%lld bytes were asked for, %lld are available", static_cast<long long>(asked),
                static_cast<long long>(available));
  return Set(FLAB_OUT_OF_MEMORY, asked, available);
}

void Failure(FlabFailure* out) { *out = failure; }

int Count(int32_t* devices) {
  *devices = 0;
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    cudaGetLastError();
    int driver = 0;
    cudaDriverGetVersion(&driver);
    if (error == cudaErrorInsufficientDriver && driver == 0) return FailWith(FLAB_NO_DRIVER, "no driver that can be used is installed");
    return FailOpening(error, "counting devices");
  }
  *devices = count;
  return FLAB_OK;
}

int Info(int32_t index, FlabDeviceInfo* info) {
  *info = {};
  cudaDeviceProp properties;
  if (const cudaError_t error = cudaGetDeviceProperties(&properties, index)) return FailOpening(error, "asking a device its name");
  std::snprintf(info->name, sizeof info->name, "%.127s", properties.name);
  int cache = 0;
  const struct {
    int* value;
    cudaDeviceAttr attribute;
  } wanted[] = {{&info->major, cudaDevAttrComputeCapabilityMajor},
                {&info->minor, cudaDevAttrComputeCapabilityMinor},
                {&info->processors, cudaDevAttrMultiProcessorCount},
                {&cache, cudaDevAttrL2CacheSize}};
  for (const auto& [value, attribute] : wanted) {
    if (const cudaError_t error = cudaDeviceGetAttribute(value, attribute, index)) return FailOpening(error, "asking a device what it has");
  }
  info->cache = cache;
  cudaDriverGetVersion(&info->driver);
  cudaRuntimeGetVersion(&info->runtime);
  if (info->major < kOldestMajor) return FLAB_OK;
  // Asking for memory makes a context, which fails where another process holds the device alone.
  size_t available = 0, total = 0;
  if (const cudaError_t error = cudaSetDevice(index)) return FailOpening(error, "choosing a device");
  if (const cudaError_t error = cudaMemGetInfo(&available, &total)) return FailOpening(error, "asking a device for its memory");
  info->memory = static_cast<int64_t>(total);
  info->available = static_cast<int64_t>(available);
  return FLAB_OK;
}

int Open(int32_t index, const char* products, FlabDevice** device) {
  *device = nullptr;
  FlabDeviceInfo info;
  if (const int code = Info(index, &info)) return code;
  if (info.major < kOldestMajor) return FailUnsupported(info, "the oldest supported one is 8.0");
  std::unique_ptr<FlabDevice, void (*)(FlabDevice*)> opened(new FlabDevice(), Close);
  opened->index = index;
  opened->processors = info.processors;
  cudaFuncAttributes attributes;
  cudaError_t error = cudaSetDevice(index);
  if (error == cudaSuccess) error = cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(ProbeKernel));
  if (CodeOf(error) == FLAB_UNSUPPORTED) {
    cudaGetLastError();  // or the next launch finds it
    return FailUnsupported(info, "which this library has no code for");
  }
  if (error == cudaSuccess) error = cudaDeviceGetAttribute(&opened->has_pools, cudaDevAttrMemoryPoolsSupported, index);
  if (error == cudaSuccess) error = cudaStreamCreateWithFlags(&opened->compute, cudaStreamNonBlocking);
  if (error == cudaSuccess) error = cudaStreamCreateWithFlags(&opened->upload, cudaStreamNonBlocking);
  for (cudaEvent_t& event : opened->events) {
    if (error == cudaSuccess) error = cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  }
  if (error != cudaSuccess) return FailOpening(error, "opening a device");
  opened->products = Products::Open(products);
  *device = opened.release();
  return FLAB_OK;
}

void Close(FlabDevice* device) {
  if (!device) return;
  cudaSetDevice(device->index);
  const cudaStream_t streams[] = {device->compute, device->upload};
  for (const cudaStream_t stream : streams) {
    if (stream) cudaStreamSynchronize(stream);
  }
  device->products.reset();
  for (const cudaStream_t stream : streams) {
    if (stream) cudaStreamDestroy(stream);
  }
  for (const cudaEvent_t event : device->events) {
    if (event) cudaEventDestroy(event);
  }
  delete device;
}

const char* ProductsOf(const FlabDevice* device, int32_t* fast) {
  *fast = device->products->fast();
  return device->products->description();
}

}  // namespace flab::cuda
