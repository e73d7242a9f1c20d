#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

namespace flab {

std::shared_ptr<MappedFile> MappedFile::Open(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe must not block
  if (file < 0) throw SystemError(path, errno);
  struct stat status;
  int stat_error = fstat(file, &status) == 0 ? 0 : errno;
  if (!stat_error && S_ISDIR(status.st_mode)) stat_error = EISDIR;
  const int64_t bytes = stat_error ? 0 : status.st_size;
  void* data = nullptr;
  int map_error = 0;
  if (bytes > 0) {
    // NORESERVE: copy-on-write pages of a file larger than the memory are not counted beforehand.
    data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file, 0);
    if (data == MAP_FAILED) map_error = errno;
  }
  if (const int error = stat_error ? stat_error : map_error) {
    close(file);
    throw SystemError(path, error);
  }
  return std::shared_ptr<MappedFile>(new MappedFile(path, file, static_cast<std::byte*>(data), bytes));
}

void MappedFile::Release(const std::byte* begin, int64_t bytes) const {
  if (writable_ || bytes <= 0) return;
  // The kernel maps up to 64 KiB around a page that is touched: those go too, and neighbours that are still needed are read again.
  constexpr uintptr_t kAround = 64 << 10;
  const auto data = reinterpret_cast<uintptr_t>(data_), from = reinterpret_cast<uintptr_t>(begin);
  const uintptr_t first = std::max(data, from / kAround * kAround), end = std::min<uintptr_t>(data + bytes_, (from + bytes + kAround - 1) / kAround * kAround);
  madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
}

void MappedFile::Discard(int64_t begin, int64_t end) const {
  const int64_t page = sysconf(_SC_PAGESIZE);
  const int64_t first = (begin + page - 1) / page * page, last = end == bytes_ ? end : end / page * page;
  if (last > first) madvise(data_ + first, last - first, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (data_) munmap(data_, bytes_);
  close(file_);
}

void MappedFile::Read(int64_t begin, int64_t bytes, std::byte* out) const {
  while (bytes > 0) {
    const ssize_t count = pread(file_, out, bytes, begin);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw Error("ERR_READ", path_ + ": could not read: " + (count < 0 ? std::strerror(errno) : "it became shorter"), path_);
    out += count, begin += count, bytes -= count;
  }
}

}  // namespace flab
