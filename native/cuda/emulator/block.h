#pragma once

#include <functional>

#include "cuda/emulator/emulator.h"

namespace flab::emulator {

// Runs a kernel's blocks one after the other. The caller lets no other thread in.
void RunGrid(const char* name, dim3 blocks, unsigned threads, size_t shared, const std::function<void()>& kernel);

// A number below `limit`, drawn: what a device leaves open is decided by these. FLAB_EMULATED_SEED chooses the sequence.
unsigned Draw(unsigned limit);

}  // namespace flab::emulator
