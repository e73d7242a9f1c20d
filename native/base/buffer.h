#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

#include "base/error.h"

namespace flab {

// Uninitialised, 64-byte aligned memory of `size` elements: a whole number of cache lines and of the
// widest vector registers. Move-only.
template <typename T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t size) : size_(size) {
    if (size == 0) return;
    const size_t bytes = (static_cast<size_t>(size) * sizeof(T) + 63) / 64 * 64;
    data_ = static_cast<T*>(std::aligned_alloc(64, bytes));
    if (!data_) throw Error("ERR_MEMORY", "could not allocate " + std::to_string(bytes) + " bytes");
  }
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Buffer() { std::free(data_); }

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
  T* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace flab
