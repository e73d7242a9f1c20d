#include "base/memory.h"

#include <sys/resource.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <fstream>
#include <limits>

#include "base/cgroup.h"
#include "base/error.h"

namespace flab {
namespace {

thread_local int64_t limit = 0;

// Left to what is not counted operation by operation: JavaScript's heap, stacks, the allocator.
constexpr int64_t kReserve = int64_t{32} << 20;

constexpr int64_t kMega = 1 << 20;

// The number of kB after `key` in a file of lines such as "MemAvailable:  123 kB"; -1 if it is not there.
int64_t KilobytesOf(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return std::atoll(line.c_str() + key.size());
  }
  return -1;
}

}  // namespace

int64_t AvailableMemory() {
  const int64_t system = KilobytesOf("/proc/meminfo", "MemAvailable:");
  const int64_t available = system < 0 ? int64_t{4} << 30 : system * 1024;
  return std::max<int64_t>(0, std::min(available, ReadCgroup().memory_left));
}

int64_t ResidentBytes() {
  int64_t size = 0, resident = -1;
  std::ifstream("/proc/self/statm") >> size >> resident;
  if (resident >= 0) return resident * sysconf(_SC_PAGESIZE);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;  // macOS: bytes, and the largest so far: on the safe side
}

void ReturnFreeMemory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

void LimitMemory(int64_t bytes) { limit = bytes; }

int64_t MemoryLimit() { return limit; }

int64_t MemoryLeft() {
  if (limit == 0) return AvailableMemory() / 2;
  return std::max<int64_t>(0, limit - ResidentBytes() - kReserve);
}

void RequireMemory(int64_t least, const std::string& what) {
  if (least <= MemoryLeft()) return;
  const int64_t needed = (least + ResidentBytes() + kReserve + kMega - 1) / kMega;
  if (limit == 0) {
    throw Error("ERR_MEMORY", what + ": expected " + std::to_string(least / kMega) + " MiB to be free, got " + std::to_string(MemoryLeft() / kMega) + " MiB (half of what the system has available)");
  }
  throw Error("ERR_MEMORY", what + ": expected a memory limit of at least " + std::to_string(needed) + " MiB, got " + std::to_string(limit / kMega) + " MiB");
}

}  // namespace flab
