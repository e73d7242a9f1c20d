#pragma once

#include <atomic>
#include <cstddef>
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

  // The bytes, for reading.
  const std::byte* data() const { return data_; }

  // The bytes, for whoever may write to them. From then on Release keeps everything.
  std::byte* Writable() const {
    writable_ = true;
    return data_;
  }

  // Gives the memory of these bytes back to the system; they come from the file again when they are read. A mapped file counts as the
  // process's resident memory as far as it was read, so whoever reads much of one releases what it is done with.
  void Release(const std::byte* begin, int64_t bytes) const;

  // Gives the memory of the whole pages within [begin, end) back to the system, with what was written to them: they have the file's
  // content again when they are read.
  void Discard(int64_t begin, int64_t end) const;

  int64_t bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

  // Reads the file itself, past the mapping: no page of it becomes resident memory of this process, and nothing that was
  // written to the mapping is seen. Throws Error("ERR_READ").
  void Read(int64_t begin, int64_t bytes, std::byte* out) const;

 private:
  MappedFile(std::string path, int file, std::byte* data, int64_t bytes)
      : path_(std::move(path)), file_(file), data_(data), bytes_(bytes) {}

  std::string path_;
  int file_;
  std::byte* data_;
  int64_t bytes_;
  mutable std::atomic<bool> writable_{false};
};

}  // namespace flab
