#pragma once

#include <functional>

#include "cuda/emulator/emulator.h"

namespace flab::emulator {

// Runs a kernel's blocks one after the other, on this thread.
void RunGrid(const char* name, dim3 blocks, unsigned threads, size_t shared, const std::function<void()>& kernel);

// Name of the kernel that runs on this thread; null if none does.
const char* RunningKernel();

}  // namespace flab::emulator
