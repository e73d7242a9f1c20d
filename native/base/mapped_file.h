#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace flab {

// A whole file in memory. The mapping is private: writing to it changes this process's copy of a page,
// never the file. A file that another process shortens meanwhile is outside what can be guarded against.
class MappedFile {
 public:
  // Throws a system error (ENOENT, EACCES, ...).
  static std::shared_ptr<MappedFile> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

 private:
  MappedFile(std::string path, std::byte* data, int64_t bytes)
      : path_(std::move(path)), data_(data), bytes_(bytes) {}

  std::string path_;
  std::byte* data_;
  int64_t bytes_;
};

}  // namespace flab
