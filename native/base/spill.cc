#include "base/spill.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/vfs.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/error.h"

namespace flab {
namespace {

constexpr int64_t kPiece = int64_t{1} << 30;  // a call of write handles a little less than 2 GiB
constexpr int64_t kLittle = int64_t{64} << 20;  // so much may lie in memory

bool InMemory([[maybe_unused]] const std::string& folder) {
#ifdef __linux__
  constexpr long kTmpfs = 0x01021994, kRamfs = 0x858458f6;  // statfs(2)
  struct statfs system{};
  return statfs(folder.c_str(), &system) != 0 || system.f_type == kTmpfs || system.f_type == kRamfs;
#else
  return false;
#endif
}

}  // namespace

std::unique_ptr<Spill> Spill::Open(int64_t bytes) {
  const char* named = std::getenv("TMPDIR");
  const std::string folder = named && *named ? named : "/tmp";
  struct statvfs disk{};
  if ((bytes > kLittle && InMemory(folder)) || statvfs(folder.c_str(), &disk) != 0 || bytes > static_cast<int64_t>(disk.f_bavail * disk.f_frsize / 2)) return nullptr;
  std::string path = folder + "/flab-pruner-XXXXXX";
  const int file = mkostemp(path.data(), O_CLOEXEC);
  if (file < 0) return nullptr;
  unlink(path.c_str());
  return std::unique_ptr<Spill>(new Spill(file));
}

Spill::~Spill() { close(file_); }

int64_t Spill::Append(const void* data, int64_t bytes) {
  const int64_t place = size_;
  for (int64_t done = 0; done < bytes;) {
    const ssize_t written = pwrite(file_, static_cast<const char*>(data) + done, std::min(bytes - done, kPiece), place + done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return -1;
    done += written;
  }
  size_ += bytes;
  return place;
}

void Spill::Read(int64_t place, void* data, int64_t bytes) const {
  for (int64_t done = 0; done < bytes;) {
    const ssize_t got = pread(file_, static_cast<char*>(data) + done, std::min(bytes - done, kPiece), place + done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw SystemError("temporary file", got < 0 ? errno : EIO);
    done += got;
  }
}

}  // namespace flab
