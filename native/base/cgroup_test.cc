#include "base/cgroup.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/testing.h"

namespace flab {
namespace {

namespace fs = std::filesystem;

// A folder of control groups: files by path below it.
class Groups {
 public:
  explicit Groups(std::initializer_list<std::pair<const char*, const char*>> files) {
    fs::remove_all(root_);
    fs::create_directories(root_);
    for (const auto& [path, text] : files) {
      fs::create_directories((root_ / path).parent_path());
      std::ofstream(root_ / path) << text;
    }
  }
  ~Groups() { fs::remove_all(root_); }

  Cgroup Read() const { return ReadCgroup(root_.string(), (root_ / "self").string()); }

 private:
  fs::path root_ = fs::temp_directory_path() / ("flab_cgroup_test_" + std::to_string(getpid()));
};

TEST("without control groups nothing is limited") {
  const Cgroup cgroup = Groups({}).Read();
  EXPECT(cgroup.threads == 0 && cgroup.memory_limit == 0 && cgroup.memory_left == std::numeric_limits<int64_t>::max());
}

TEST("the least of a group and those above it holds, quotas rounded up") {
  const Cgroup cgroup = Groups({{"self", "0::/slurm/job/step\n"},
                                {"cpu.max", "max 100000\n"},
                                {"slurm/cpu.max", "350000 100000\n"},
                                {"slurm/job/cpu.max", "800000 100000\n"},
                                {"slurm/job/step/memory.max", "max\n"},
                                {"slurm/job/memory.max", "4000\n"},
                                {"slurm/job/memory.current", "1000\n"},
                                {"slurm/memory.max", "5000\n"},
                                {"slurm/memory.current", "4500\n"}}).Read();
  EXPECT(cgroup.threads == 4, cgroup.threads);
  EXPECT(cgroup.memory_limit == 4000, cgroup.memory_limit);
  EXPECT(cgroup.memory_left == 500, cgroup.memory_left);
}

TEST("a group whose path is only known outside leaves the limits of the root") {
  const Cgroup cgroup = Groups({{"self", "0::/kubepods/pod/container\n"}, {"cpu.max", "50000 100000\n"}, {"memory.max", "70\n"}, {"memory.current", "90\n"}}).Read();
  EXPECT(cgroup.threads == 1, cgroup.threads);
  EXPECT(cgroup.memory_limit == 70 && cgroup.memory_left == 0, cgroup.memory_left);
}

TEST("version 1 has a folder for each kind, and a huge number for no limit") {
  const Cgroup cgroup = Groups({{"self", "5:cpu,cpuacct:/job\n4:memory:/job\n1:name=systemd:/x\n"},
                                {"cpu/job/cpu.cfs_quota_us", "200000\n"},
                                {"cpu/job/cpu.cfs_period_us", "100000\n"},
                                {"cpu/cpu.cfs_quota_us", "-1\n"},
                                {"cpu/cpu.cfs_period_us", "100000\n"},
                                {"memory/job/memory.limit_in_bytes", "9000\n"},
                                {"memory/job/memory.usage_in_bytes", "2000\n"},
                                {"memory/memory.limit_in_bytes", "9223372036854771712\n"}}).Read();
  EXPECT(cgroup.threads == 2, cgroup.threads);
  EXPECT(cgroup.memory_limit == 9000 && cgroup.memory_left == 7000, cgroup.memory_left);
}

}  // namespace
}  // namespace flab
