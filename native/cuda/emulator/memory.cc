#include "cuda/emulator/memory.h"

#include <map>

#include "cuda/emulator/emulator.h"
#include "cuda/emulator/guarded.h"

namespace flab::emulator {
namespace {

// Of memory, whose end lies before a page that nobody may touch. A device's is aligned to more, and no kernel may need that.
constexpr size_t kAlignment = 16;

struct Allocation {
  Guarded mapping;
  size_t bytes;
};

std::map<const std::byte*, Allocation> allocations[2];

auto& Of(Where where) { return allocations[static_cast<int>(where)]; }

}  // namespace

void* AllocateMemory(Where where, size_t bytes) {
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  const Guarded mapping = MapGuarded(rounded);
  if (!mapping.begin) return nullptr;
  Of(where)[mapping.end - rounded] = {mapping, bytes};
  return mapping.end - rounded;
}

void ReleaseMemory(Where where, void* memory) {
  const auto place = Of(where).find(static_cast<std::byte*>(memory));
  if (place == Of(where).end()) Refuse("releases memory that is not allocated", memory);
  const auto& [begin, allocation] = *place;
  if (!IsPoison(allocation.mapping.begin, begin) || !IsPoison(begin + allocation.bytes, allocation.mapping.end)) Refuse("wrote beside memory", memory);
  Unmap(allocation.mapping);
  Of(where).erase(place);
}

bool IsAllocated(Where where, const void* address, size_t bytes) {
  const std::byte* first = static_cast<const std::byte*>(address);
  const auto after = Of(where).upper_bound(first);
  if (after == Of(where).begin()) return false;
  const auto& [begin, allocation] = *std::prev(after);
  return first + bytes <= begin + allocation.bytes;
}

size_t AllocatedBytes(Where where) {
  size_t bytes = 0;
  for (const auto& [begin, allocation] : Of(where)) bytes += allocation.bytes;
  return bytes;
}

}  // namespace flab::emulator
