#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

#include "base/error.h"

namespace flab {

// Uninitialised, 64-byte aligned memory of `size` elements: a whole number of cache lines and of the
// widest vector registers. Move-only. Large ones come from the system and go back to it at once, in huge pages
// where it has them.
template <typename T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t size) : size_(size) {
    if (size == 0) return;
    const size_t bytes = ByteSize();
    void* data = nullptr;
    if (bytes < kMapped) {
      data = std::aligned_alloc(64, bytes);
    } else {
      data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (data == MAP_FAILED) data = nullptr;
#ifdef MADV_HUGEPAGE
      if (data) madvise(data, bytes, MADV_HUGEPAGE);
#endif
    }
    if (!data) throw Error("ERR_MEMORY", "could not allocate " + std::to_string(bytes) + " bytes");
    data_ = static_cast<T*>(data);
  }
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Buffer() {
    if (ByteSize() < kMapped) {
      std::free(data_);
    } else if (data_) {
      munmap(data_, ByteSize());
    }
  }

  // Makes room for `size` elements; what was there is lost.
  T* Reserve(int64_t size) {
    if (size > size_) *this = Buffer(size);
    return data_;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  int64_t size() const { return size_; }
  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }

 private:
  static constexpr size_t kMapped = 4 << 20;
  size_t ByteSize() const { return (static_cast<size_t>(size_) * sizeof(T) + 63) / 64 * 64; }

  T* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace flab
