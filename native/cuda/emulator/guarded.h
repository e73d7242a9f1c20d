#pragma once

#include <cstddef>

namespace flab::emulator {

// Memory between two pages that nobody may touch: at least as many bytes as were asked for, all of them 0xff, which is NaN, if
// they are not more than a gigabyte. `begin` is
// null where the system has no more.
struct Guarded {
  std::byte *begin, *end;
};
Guarded MapGuarded(size_t bytes);
void Unmap(const Guarded& memory);

void Poison(std::byte* begin, const std::byte* end);
bool IsPoison(const std::byte* begin, const std::byte* end);

}  // namespace flab::emulator
