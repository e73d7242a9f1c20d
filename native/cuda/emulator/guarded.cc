#include "cuda/emulator/guarded.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace flab::emulator {
namespace {

// More is not filled, so that memory of any size takes only what is written to; but for its edges, which are looked at in the end.
constexpr size_t kMostFilled = size_t{1} << 30;

size_t PageBytes() {
  static const size_t bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace

Guarded MapGuarded(size_t bytes) {
  const size_t page = PageBytes(), inside = (bytes + page - 1) / page * page;
  void* mapping = mmap(nullptr, inside + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return {nullptr, nullptr};
  std::byte* begin = static_cast<std::byte*>(mapping) + page;
  const Guarded memory{begin, begin + inside};
  if (mprotect(begin, inside, PROT_READ | PROT_WRITE) != 0) {
    Unmap(memory);
    return {nullptr, nullptr};
  }
  if (inside <= kMostFilled) {
    Poison(begin, memory.end);
  } else {
    Poison(begin, begin + page);
    Poison(memory.end - page, memory.end);
  }
  return memory;
}

void Unmap(const Guarded& memory) {
  const size_t page = PageBytes();
  munmap(memory.begin - page, static_cast<size_t>(memory.end - memory.begin) + 2 * page);
}

void Poison(std::byte* begin, const std::byte* end) { std::memset(begin, 0xff, static_cast<size_t>(end - begin)); }

bool IsPoison(const std::byte* begin, const std::byte* end) {
  return std::all_of(begin, end, [](std::byte byte) { return byte == std::byte{0xff}; });
}

}  // namespace flab::emulator
