#include "base/cgroup.h"

#include <algorithm>
#include <cmath>
#include <fstream>

namespace flab {
namespace {

// The first number of a file; -1 where there is none ("max", no such file).
double NumberIn(const std::string& path) {
  double number = -1;
  return std::ifstream(path) >> number ? number : -1;
}

void LimitThreads(Cgroup& cgroup, double quota, double period) {
  if (quota <= 0 || period <= 0) return;
  const int threads = std::max(1, static_cast<int>(std::ceil(quota / period)));
  cgroup.threads = cgroup.threads > 0 ? std::min(cgroup.threads, threads) : threads;
}

void LimitMemory(Cgroup& cgroup, double limit, double used) {
  // Version 1 says "no limit" with a number that no machine has.
  if (limit < 0 || limit > 1e18) return;
  const auto bytes = static_cast<int64_t>(limit);
  cgroup.memory_limit = cgroup.memory_limit > 0 ? std::min(cgroup.memory_limit, bytes) : bytes;
  if (used >= 0) cgroup.memory_left = std::min(cgroup.memory_left, std::max<int64_t>(0, bytes - static_cast<int64_t>(used)));
}

void ReadCpu(Cgroup& cgroup, const std::string& folder) {
  double quota = -1, period = -1;
  std::ifstream(folder + "/cpu.max") >> quota >> period;
  LimitThreads(cgroup, quota, period);
  LimitThreads(cgroup, NumberIn(folder + "/cpu.cfs_quota_us"), NumberIn(folder + "/cpu.cfs_period_us"));
}

void ReadMemory(Cgroup& cgroup, const std::string& folder) {
  LimitMemory(cgroup, NumberIn(folder + "/memory.max"), NumberIn(folder + "/memory.current"));
  LimitMemory(cgroup, NumberIn(folder + "/memory.limit_in_bytes"), NumberIn(folder + "/memory.usage_in_bytes"));
}

// `read` for the folder of a group and of all above it, the root included. In a container the path may be that of the
// host, and then only the root is there: what does not exist says nothing.
void ForEachAbove(const std::string& root, std::string path, Cgroup& cgroup, void (*read)(Cgroup&, const std::string&)) {
  for (; path.size() > 1; path.resize(path.find_last_of('/'))) read(cgroup, root + path);
  read(cgroup, root);
}

bool Has(const std::string& list, const std::string& name) { return ("," + list + ",").find("," + name + ",") != std::string::npos; }

}  // namespace

Cgroup ReadCgroup(const std::string& root, const std::string& self) {
  Cgroup cgroup;
  // Lines of "4:memory:/path", in version 2 one of "0::/path".
  std::ifstream file(self);
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) {
      ForEachAbove(root, path, cgroup, ReadCpu);
      ForEachAbove(root, path, cgroup, ReadMemory);
    }
    if (Has(controllers, "cpu")) ForEachAbove(root + "/cpu", path, cgroup, ReadCpu);
    if (Has(controllers, "memory")) ForEachAbove(root + "/memory", path, cgroup, ReadMemory);
  }
  return cgroup;
}

}  // namespace flab
