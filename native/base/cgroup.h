#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace flab {

// What the control groups of this process grant: the least of its own group and those above it. Versions 1 and 2.
struct Cgroup {
  int threads = 0;           // the CPU quota rounded up; 0: none
  int64_t memory_limit = 0;  // bytes; 0: none
  int64_t memory_left = std::numeric_limits<int64_t>::max();  // bytes below the limit that is nearest
};

// `root` is where the groups are mounted, `self` the file that says which ones this process is in.
Cgroup ReadCgroup(const std::string& root = "/sys/fs/cgroup", const std::string& self = "/proc/self/cgroup");

}  // namespace flab
