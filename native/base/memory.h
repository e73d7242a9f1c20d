#pragma once

#include <cstdint>
#include <string>

namespace flab {

// Bytes of this process that are resident now, those of mapped files included.
int64_t ResidentBytes();

// Gives memory that was freed, but is kept for later, back to the system where the allocator can.
void ReturnFreeMemory();

// Operations that the calling thread starts from now on keep the process below `bytes` of resident memory; 0 lifts the
// limit. Other threads' operations are not concerned.
void LimitMemory(int64_t bytes);
int64_t MemoryLimit();

// What the system and this process's cgroup have left.
int64_t AvailableMemory();

// What an operation that starts now may allocate: what is left below the limit, or without a limit half of
// what the system has available.
int64_t MemoryLeft();

// Throws Error("ERR_MEMORY") if `least` bytes are more than MemoryLeft(), naming the smallest limit that would do.
// `what` is said to need them.
void RequireMemory(int64_t least, const std::string& what);

}  // namespace flab
