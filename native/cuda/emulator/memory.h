#pragma once

#include <cstddef>

namespace flab::emulator {

// Memory of the device and pinned memory of the host: it ends where it ends, and begins as NaN.
enum class Where { kDevice, kPinned };

// Null where the system has no more.
void* AllocateMemory(Where where, size_t bytes);

// Refuses what is not allocated there, and what was written beside.
void ReleaseMemory(Where where, void* memory);

// Whether all of [address, address + bytes) is one allocation's.
bool IsAllocated(Where where, const void* address, size_t bytes);

size_t AllocatedBytes(Where where);

}  // namespace flab::emulator
