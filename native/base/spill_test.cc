#include "base/spill.h"

#include <cstdlib>
#include <filesystem>
#include <string>

#include <unistd.h>
#ifdef __linux__
#include <sys/vfs.h>
#endif

#include "base/testing.h"

namespace flab {
namespace {

// TMPDIR while a test runs.
struct TemporaryFolder {
  explicit TemporaryFolder(const std::string& folder) {
    if (const char* set = std::getenv("TMPDIR")) before = set, was_set = true;
    setenv("TMPDIR", folder.c_str(), 1);
  }
  ~TemporaryFolder() { was_set ? setenv("TMPDIR", before.c_str(), 1) : unsetenv("TMPDIR"); }
  std::string before;
  bool was_set = false;
};

TEST("what was spilled comes back, from wherever it lies") {
  const auto spill = Spill::Open(1 << 20);
  if (!spill) return testing::Skip("the temporary folder is in memory");
  std::vector<int32_t> first(1000), second(77777), got(77777);
  for (size_t i = 0; i < second.size(); ++i) second[i] = static_cast<int32_t>(i);
  EXPECT(spill->Append(first.data(), 4000) == 0);
  EXPECT(spill->Append(second.data(), 77777 * 4) == 4000);
  EXPECT(spill->Append(second.data(), 0) == 4000 + 77777 * 4);
  spill->Read(4000, got.data(), 77777 * 4);
  EXPECT(got == second);
  spill->Read(4000 + 4 * 5, got.data(), 8);
  EXPECT(got[0] == 5 && got[1] == 6);
  EXPECT(testing::CodeOf([&] { spill->Read(4000, got.data(), 77778 * 4); }) == "EIO", "past the end");
}

#ifdef __linux__
TEST("in a folder that is in memory only a little is spilled") {
  const std::string folder = "/dev/shm";
  struct statfs system{};
  if (statfs(folder.c_str(), &system) != 0 || system.f_type != 0x01021994) return testing::Skip("/dev/shm is no tmpfs");
  if (system.f_bavail * static_cast<uint64_t>(system.f_bsize) < (uint64_t{256} << 20)) return testing::Skip("/dev/shm is nearly full");
  const TemporaryFolder here(folder);
  EXPECT(!Spill::Open((int64_t{64} << 20) + 1));
  const auto spill = Spill::Open(int64_t{64} << 20);
  CHECK(spill != nullptr);
  const int32_t number = 7;
  int32_t got = 0;
  EXPECT(spill->Append(&number, 4) == 0);
  spill->Read(0, &got, 4);
  EXPECT(got == 7);
}
#endif

TEST("a spill leaves no name behind, and is refused where there is no room") {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("flab-pruner-spill-test-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  {
    const TemporaryFolder here(folder.string());
    const auto spill = Spill::Open(100);
    EXPECT(std::filesystem::is_empty(folder));
    EXPECT(!Spill::Open(int64_t{1} << 60), "an exabyte");
  }
  std::filesystem::remove_all(folder);
  const TemporaryFolder nowhere("/does/not/exist");
  EXPECT(!Spill::Open(100));
}

}  // namespace
}  // namespace flab
