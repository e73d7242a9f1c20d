// The part of the CUDA runtime that the backend uses, on a CPU: see emulator.h. Environment variables make it fail in the ways that
// a device does:
//
//   FLAB_EMULATED_DEVICE=no-device | old-driver | busy | unsupported    what opening it meets
//   FLAB_EMULATED_DEVICE=no-code | not-ready | unknown | mps-full
//   FLAB_EMULATED_DEVICE=no-pools                                       no memory is taken in a stream
//   FLAB_EMULATED_MEMORY=BYTES                                          how much it has (default 8 GiB)
//   FLAB_EMULATED_FAULT=N                                               the Nth kernel from when it is set on fails
//
// A list of devices or memories with commas, such as FLAB_EMULATED_DEVICE=busy,sound, is of as many devices; the last memory is also
// that of those that the list lacks.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "cuda/emulator/block.h"
#include "cuda/emulator/emulator.h"
#include "cuda/emulator/memory.h"

namespace flab::emulator {
namespace {

// One thread at a time is inside: a device does what several threads put into it one after the other, too.
std::recursive_mutex mutex;
int64_t launches = 0;  // while a fault is set
cudaError_t fault = cudaSuccess;
thread_local cudaError_t last = cudaSuccess;

cudaError_t Ended(cudaError_t error) {
  if (error != cudaSuccess) last = error;
  return error;
}

thread_local int current = 0;  // device

// The items of a list, one at least.
std::vector<std::string> Settings(const char* name) {
  const char* value = std::getenv(name);
  std::vector<std::string> items;
  std::istringstream list(value ? value : "");
  for (std::string item; std::getline(list, item, ',');) items.push_back(item);
  return items.empty() ? std::vector<std::string>{""} : items;
}

std::string SettingOf(const char* name, int device) {
  const std::vector<std::string> items = Settings(name);
  return items[std::min<size_t>(items.size() - 1, device)];
}

std::string DeviceState() { return SettingOf("FLAB_EMULATED_DEVICE", current); }

size_t TotalMemory() {
  const std::string bytes = SettingOf("FLAB_EMULATED_MEMORY", current);
  return bytes.empty() ? size_t{8} << 30 : std::strtoull(bytes.c_str(), nullptr, 10);
}

[[noreturn]] void OnBadAddress(int, siginfo_t* info, void*) { Refuse("reads or writes memory that is not its own", info->si_addr); }

// While one lives, a bad address is said to be one.
class Addresses {
 public:
  Addresses() {
    struct sigaction ours {};
    ours.sa_sigaction = OnBadAddress;
    ours.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &ours, &segv_);
    sigaction(SIGBUS, &ours, &bus_);
  }
  ~Addresses() {
    sigaction(SIGSEGV, &segv_, nullptr);
    sigaction(SIGBUS, &bus_, nullptr);
  }

 private:
  struct sigaction segv_, bus_;
};

void RunUpTo(Stream& stream, uint64_t place) {
  const Addresses addresses;
  while (stream.done < place) {
    const std::function<void()> task = std::move(stream.queue.front());
    stream.queue.pop_front();
    ++stream.done;
    if (fault == cudaSuccess) task();
  }
}

cudaError_t Put(Stream* stream, std::function<void()> task) { return stream->Put(std::move(task)) ? cudaSuccess : Ended(fault); }

bool IsDevice(const void* address, size_t bytes) { return IsAllocated(Where::kDevice, address, bytes); }

}  // namespace

bool Stream::Put(std::function<void()> task) {
  const std::lock_guard lock(mutex);
  if (fault != cudaSuccess) return false;
  queue.push_back(std::move(task));
  ++put;
  if (Draw(2) == 0) RunUpTo(*this, put);
  return true;
}

// A word of 8 bytes that is an address of this process is taken for one: no size, stride or pair of floats has such a value.
void CheckArgument(const char* kernel, const void* argument, size_t bytes) {
  const std::lock_guard lock(mutex);
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (size_t i = 0; i + sizeof(uintptr_t) <= bytes; i += sizeof(uintptr_t)) {
    uintptr_t address;
    std::memcpy(&address, static_cast<const std::byte*>(argument) + i, sizeof address);
    void* const memory = reinterpret_cast<void*>(address);
    // A small number of 4 bytes with what happens to lie in the padding after it, or any number of 4 bytes beside a zero: the heap of a program
    // at a fixed place, as Node is one, lies where a float does (0.408 and zero are 0x3ed105eb).
    constexpr uintptr_t kSmall = 1 << 16;
    if ((address & 0xffffffff) < kSmall || address >> 32 == 0) continue;
    const bool is_mapped = msync(reinterpret_cast<void*>(address / page * page), 1, MS_ASYNC) == 0;
    if (is_mapped && !IsDevice(memory, 0)) Refuse((std::string("gives an address of the host to kernel ") + kernel).c_str(), memory);
  }
}

void Launch(Stream* stream, const char* name, dim3 blocks, unsigned threads, size_t shared, std::function<void()> kernel) {
  Put(stream, [=] {
    const std::string fails = SettingOf("FLAB_EMULATED_FAULT", current);
    launches = fails.empty() ? 0 : launches + 1;
    if (!fails.empty() && launches == std::atoll(fails.c_str())) {
      fault = cudaErrorIllegalAddress;
      return;
    }
    RunGrid(name, blocks, threads, shared, kernel);
  });
}

void Host(Stream* stream, std::function<void()> task) { Put(stream, std::move(task)); }

}  // namespace flab::emulator

using namespace flab::emulator;

struct flab_emulated_event {
  Stream* stream = nullptr;
  uint64_t place = 0;
};

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInsufficientDriver: return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorDevicesUnavailable: return "CUDA-capable device(s) is/are busy or unavailable";
    case cudaErrorNoDevice: return "no CUDA-capable device is detected";
    case cudaErrorInvalidDevice: return "invalid device ordinal";
    case cudaErrorNotSupported: return "operation not supported";
    case cudaErrorSystemNotReady: return "system not yet initialized";
    case cudaErrorMpsMaxClientsReached: return "the hardware resources required to create MPS client have been exhausted";
    case cudaErrorUnknown: return "unknown error";
    case cudaErrorNoKernelImageForDevice: return "no kernel image is available for execution on the device";
    case cudaErrorIllegalAddress: return "an illegal memory access was encountered";
    default: return "invalid argument";
  }
}

const char* cudaGetErrorName(cudaError_t error) { return error == cudaSuccess ? "cudaSuccess" : "cudaError"; }

cudaError_t cudaGetLastError() {
  const cudaError_t error = fault != cudaSuccess ? fault : last;
  last = cudaSuccess;
  return error;
}

cudaError_t cudaGetDeviceCount(int* count) {
  const std::vector<std::string> devices = Settings("FLAB_EMULATED_DEVICE");
  const std::string& device = devices[0];
  *count = 0;
  if (device == "no-device") return Ended(cudaErrorNoDevice);
  if (device == "old-driver") return Ended(cudaErrorInsufficientDriver);
  if (device == "not-ready") return Ended(cudaErrorSystemNotReady);
  if (device == "mps-full") return Ended(cudaErrorMpsMaxClientsReached);
  *count = static_cast<int>(devices.size());
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= static_cast<int>(Settings("FLAB_EMULATED_DEVICE").size())) return Ended(cudaErrorInvalidDevice);
  current = device;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::snprintf(properties->name, sizeof properties->name, "emulated");
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int index) {
  const std::string device = SettingOf("FLAB_EMULATED_DEVICE", index);
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount: *value = 2; break;
    case cudaDevAttrL2CacheSize: *value = 1 << 20; break;
    case cudaDevAttrComputeCapabilityMajor: *value = device == "unsupported" ? 7 : device == "no-code" ? 11 : 9; break;
    case cudaDevAttrComputeCapabilityMinor: *value = 0; break;
    case cudaDevAttrMemoryPoolsSupported: *value = device != "no-pools"; break;
  }
  return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes*, const void*) {
  return Ended(DeviceState() == "no-code" ? cudaErrorNoKernelImageForDevice : fault);
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

// Newer than the driver, which will do where the major version is the same.
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13010;
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
  const std::lock_guard lock(mutex);
  const size_t used = AllocatedBytes(Where::kDevice);
  *total = TotalMemory();
  *available = *total > used ? *total - used : 0;
  return Ended(fault);
}

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  const std::lock_guard lock(mutex);
  size_t available = 0, total = 0;
  if (cudaMemGetInfo(&available, &total) != cudaSuccess) return fault;
  *memory = bytes <= available ? AllocateMemory(Where::kDevice, bytes) : nullptr;
  return Ended(*memory ? cudaSuccess : cudaErrorMemoryAllocation);
}

// As CUDA may, it waits for nothing: what still works with the memory touches what is nobody's.
cudaError_t cudaFree(void* memory) {
  const std::lock_guard lock(mutex);
  if (memory) ReleaseMemory(Where::kDevice, memory);
  return Ended(fault);
}

cudaError_t cudaMallocAsync(void** memory, size_t bytes, cudaStream_t) {
  if (DeviceState() == "no-pools") return Ended(cudaErrorNotSupported);
  return cudaMalloc(memory, bytes);
}

cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  return Put(stream, [=] { ReleaseMemory(Where::kDevice, memory); });
}

cudaError_t cudaMallocHost(void** memory, size_t bytes) {
  const std::lock_guard lock(mutex);
  if (fault != cudaSuccess) return Ended(fault);
  constexpr size_t kAddresses = size_t{1} << 47;
  if (bytes >= kAddresses) return Ended(cudaErrorInvalidValue);  // as some drivers say
  *memory = AllocateMemory(Where::kPinned, bytes);
  return Ended(*memory ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t cudaFreeHost(void* memory) {
  const std::lock_guard lock(mutex);
  if (memory) ReleaseMemory(Where::kPinned, memory);
  return Ended(fault);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  if (IsDevice(to, bytes) != (kind != cudaMemcpyDeviceToHost)) Refuse("copies to memory of another kind, or past its end", to);
  if (IsDevice(from, bytes) != (kind != cudaMemcpyHostToDevice)) Refuse("copies from memory of another kind, or past its end", from);
  if (kind == cudaMemcpyHostToDevice && !IsAllocated(Where::kPinned, from, bytes)) Refuse("copies from memory that is not pinned", from);
  return Put(stream, [=] { std::memcpy(to, from, bytes); });
}

cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  if (!IsDevice(memory, bytes)) Refuse("sets memory that is not the device's, or past its end", memory);
  return Put(stream, [=] { std::memset(memory, value, bytes); });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const std::lock_guard lock(mutex);
  if (DeviceState() == "busy") return Ended(cudaErrorDevicesUnavailable);
  if (DeviceState() == "unknown") return Ended(cudaErrorUnknown);
  *stream = new Stream();
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  RunUpTo(*stream, stream->put);
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  RunUpTo(*stream, stream->put);
  return Ended(fault);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const std::lock_guard lock(mutex);
  const flab_emulated_event now = *event;
  return Put(stream, [now] {
    if (now.stream) RunUpTo(*now.stream, now.place);
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new flab_emulated_event();
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  *event = {stream, stream->put};
  return Ended(fault);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const std::lock_guard lock(mutex);
  if (event->stream) RunUpTo(*event->stream, event->place);
  return Ended(fault);
}
