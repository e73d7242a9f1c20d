#pragma once

#include <functional>

#include "cuda/emulator/emulator.h"

namespace flab::emulator {

// Runs a kernel's blocks one after the other. The caller lets no other thread in.
void RunGrid(const char* name, dim3 blocks, unsigned threads, size_t shared, const std::function<void()>& kernel);

// As emulator.h has it; what the lanes gave becomes what they get by `change`, once for the warp.
const void* Exchange(const char* kind, const void* bytes, size_t size, void (*change)(void* given));

// A number below `limit`, drawn: what a device leaves open is decided by these. FLAB_EMULATED_SEED chooses the sequence.
unsigned Draw(unsigned limit);

}  // namespace flab::emulator
