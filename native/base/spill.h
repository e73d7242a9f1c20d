#pragma once

#include <cstdint>
#include <memory>

namespace flab {

// Memory that lies in a file without a name in the system's temporary folder: for what is worth keeping but would
// not stay within a budget. The file is gone when the object, or the process, is.
class Spill {
 public:
  // Null where `bytes` would be more than half of what the disk has free, where they are more than 64 MiB and the folder is
  // itself in memory, or where no file can be made: spilling is never needed, only faster.
  static std::unique_ptr<Spill> Open(int64_t bytes);
  ~Spill();
  Spill(const Spill&) = delete;

  // Appends and returns the place; -1 if the disk refuses.
  int64_t Append(const void* data, int64_t bytes);
  // Throws a system error.
  void Read(int64_t place, void* data, int64_t bytes) const;

 private:
  explicit Spill(int file) : file_(file) {}
  int file_;
  int64_t size_ = 0;
};

}  // namespace flab
