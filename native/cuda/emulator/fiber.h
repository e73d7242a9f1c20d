#pragma once

namespace flab::emulator {

// Fibers take turns on one thread, each on a stack of its own. There are as many as a block has threads at most.
constexpr unsigned kMostFibers = 1024;

// Runs `body` in a fiber: from its beginning, or from where it gave way last. Returns when it gives way or ends.
void Resume(unsigned fiber, void (*body)());

// In a fiber: back to who resumed it.
void GiveWay();

}  // namespace flab::emulator
