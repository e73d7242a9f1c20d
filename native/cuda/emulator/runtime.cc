// The part of the CUDA runtime that the backend uses, on a CPU: see emulator.h. Environment variables make it fail in the ways that
// a device does:
//
//   FLAB_EMULATED_DEVICE=no-device | old-driver | busy | unsupported    what opening it meets
//   FLAB_EMULATED_MEMORY=BYTES                                          how much it has (default 8 GiB)
//   FLAB_EMULATED_FAULT=N                                               the Nth kernel from the start of the process fails

#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "cuda/emulator/block.h"
#include "cuda/emulator/emulator.h"

namespace flab::emulator {

struct Stream {
  std::deque<std::function<void()>> queue;
  uint64_t put = 0, done = 0;
};

namespace {

constexpr size_t kAlignment = 16;  // of memory; a device's is aligned to more, and no kernel may need that

struct Memory {
  std::byte* mapping;
  size_t mapped, bytes;
};

// One thread at a time is inside: a device does what several threads put into it one after the other, too.
std::recursive_mutex mutex;
std::map<void*, Memory> memories;
std::set<Stream*> streams;
size_t used = 0;
int64_t launches = 0;
cudaError_t fault = cudaSuccess;
thread_local cudaError_t last = cudaSuccess;

cudaError_t Ended(cudaError_t error) {
  if (error != cudaSuccess) last = error;
  return error;
}

std::string Setting(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

size_t TotalMemory() {
  const std::string bytes = Setting("FLAB_EMULATED_MEMORY");
  return bytes.empty() ? size_t{8} << 30 : std::strtoull(bytes.c_str(), nullptr, 10);
}

void RunUpTo(Stream& stream, uint64_t place) {
  while (stream.done < place) {
    const std::function<void()> task = std::move(stream.queue.front());
    stream.queue.pop_front();
    ++stream.done;
    if (fault == cudaSuccess) task();
  }
}

void RunAll() {
  for (Stream* stream : streams) RunUpTo(*stream, stream->put);
}

cudaError_t Put(Stream* stream, std::function<void()> task) {
  const std::lock_guard lock(mutex);
  if (fault != cudaSuccess) return Ended(fault);
  stream->queue.push_back(std::move(task));
  ++stream->put;
  return cudaSuccess;
}

[[noreturn]] void OnBadAddress(int, siginfo_t* info, void*) { Refuse("reads or writes memory that is not its own", info->si_addr); }

size_t Rounded(size_t bytes, size_t step) { return (bytes + step - 1) / step * step; }

}  // namespace

void Launch(Stream* stream, const char* name, dim3 blocks, unsigned threads, size_t shared, std::function<void()> kernel) {
  Put(stream, [=] {
    const std::string fails = Setting("FLAB_EMULATED_FAULT");
    if (++launches == (fails.empty() ? -1 : std::atoll(fails.c_str()))) {
      fault = cudaErrorIllegalAddress;
      return;
    }
    struct sigaction ours {}, segv, bus;
    ours.sa_sigaction = OnBadAddress;
    ours.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &ours, &segv);
    sigaction(SIGBUS, &ours, &bus);
    RunGrid(name, blocks, threads, shared, kernel);
    sigaction(SIGSEGV, &segv, nullptr);
    sigaction(SIGBUS, &bus, nullptr);
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
  const std::string device = Setting("FLAB_EMULATED_DEVICE");
  *count = 0;
  if (device == "no-device") return Ended(cudaErrorNoDevice);
  if (device == "old-driver") return Ended(cudaErrorInsufficientDriver);
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : Ended(cudaErrorInvalidDevice); }

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::snprintf(properties->name, sizeof properties->name, "emulated");
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount: *value = 2; break;
    case cudaDevAttrL2CacheSize: *value = 1 << 20; break;
    case cudaDevAttrComputeCapabilityMajor: *value = Setting("FLAB_EMULATED_DEVICE") == "unsupported" ? 7 : 9; break;
    case cudaDevAttrComputeCapabilityMinor: *value = 0; break;
  }
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
  const std::lock_guard lock(mutex);
  *total = TotalMemory();
  *available = *total > used ? *total - used : 0;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  const std::lock_guard lock(mutex);
  if (fault != cudaSuccess) return Ended(fault);
  if (used + bytes > TotalMemory()) return Ended(cudaErrorMemoryAllocation);
  // The end lies before a page that nobody may touch.
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE)), rounded = Rounded(bytes, kAlignment), mapped = Rounded(rounded + 1, page) + page;
  void* mapping = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return Ended(cudaErrorMemoryAllocation);
  std::byte* end = static_cast<std::byte*>(mapping) + mapped - page;
  mprotect(end, page, PROT_NONE);
  *memory = end - rounded;
  std::memset(*memory, 0xff, rounded);
  memories[*memory] = {static_cast<std::byte*>(mapping), mapped, bytes};
  used += bytes;
  return cudaSuccess;
}

static void Free(void* memory) {
  const auto place = memories.find(memory);
  if (place == memories.end()) Refuse("releases memory that is not allocated", memory);
  const Memory& freed = place->second;
  const std::byte* end = static_cast<std::byte*>(memory) + freed.bytes;
  for (const std::byte* past = end; past < freed.mapping + freed.mapped - sysconf(_SC_PAGESIZE); ++past) {
    if (*past != std::byte{0xff}) Refuse("wrote past the end of memory", past);
  }
  used -= freed.bytes;
  munmap(freed.mapping, freed.mapped);
  memories.erase(place);
}

cudaError_t cudaFree(void* memory) {
  if (!memory) return cudaSuccess;
  const std::lock_guard lock(mutex);
  RunAll();
  Free(memory);
  return cudaSuccess;
}

cudaError_t cudaMallocAsync(void** memory, size_t bytes, cudaStream_t) { return cudaMalloc(memory, bytes); }

cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  return Put(stream, [=] { Free(memory); });
}

cudaError_t cudaMallocHost(void** memory, size_t bytes) {
  *memory = std::aligned_alloc(4096, Rounded(bytes + 1, 4096));
  return *memory ? cudaSuccess : Ended(cudaErrorMemoryAllocation);
}

cudaError_t cudaFreeHost(void* memory) {
  std::free(memory);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  return Put(stream, [=] { std::memcpy(to, from, bytes); });
}

cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream) {
  return Put(stream, [=] { std::memset(memory, value, bytes); });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const std::lock_guard lock(mutex);
  if (Setting("FLAB_EMULATED_DEVICE") == "busy") return Ended(cudaErrorDevicesUnavailable);
  *stream = new Stream();
  streams.insert(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  RunUpTo(*stream, stream->put);
  streams.erase(stream);
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  RunUpTo(*stream, stream->put);
  return fault == cudaSuccess ? cudaSuccess : Ended(fault);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
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
  return fault == cudaSuccess ? cudaSuccess : Ended(fault);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const std::lock_guard lock(mutex);
  if (event->stream) RunUpTo(*event->stream, event->place);
  return fault == cudaSuccess ? cudaSuccess : Ended(fault);
}
