#pragma once

#include <cstddef>

namespace flab::emulator {

// The shared memory of the running block. It lies before a page that nobody may touch, after at most 127 bytes that are looked at when
// the block ends, as those before it are.

// False: more than a block has on the smallest device, 99 kB (compute capability 12.0).
bool SetShared(size_t bytes);

// Fills it with NaN.
void PoisonShared();

bool IsShared(const void* address, size_t bytes);

// Nothing was written beside it since it was filled.
bool IsSharedWhole();

}  // namespace flab::emulator
