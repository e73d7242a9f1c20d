#include "cuda/emulator/shared.h"

#include <cstdlib>

#include "cuda/emulator/emulator.h"
#include "cuda/emulator/guarded.h"

namespace flab::emulator {
namespace {

constexpr size_t kMost = 99 << 10;
constexpr size_t kAlignment = 128;
constexpr size_t kBefore = 64;  // bytes that are looked at

std::byte* start = nullptr;
size_t size = 0;

std::byte* End() {
  static const Guarded memory = MapGuarded(kMost + kBefore);
  if (!memory.begin) std::abort();
  return memory.end;
}

}  // namespace

bool SetShared(size_t bytes) {
  if (bytes > kMost) return false;
  size = bytes;
  start = End() - (bytes + kAlignment - 1) / kAlignment * kAlignment;
  return true;
}

void PoisonShared() { Poison(start - kBefore, End()); }

bool IsShared(const void* address, size_t bytes) { return address >= start && static_cast<const std::byte*>(address) + bytes <= start + size; }

bool IsSharedWhole() { return IsPoison(start - kBefore, start) && IsPoison(start + size, End()); }

void* Shared(size_t bytes) {
  if (bytes > size) Refuse("uses more shared memory than its launch asked for");
  return start;
}

}  // namespace flab::emulator
