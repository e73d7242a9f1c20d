#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "base/dtype.h"
#include "base/testing.h"

// Tests of every operation of a backend against straightforward references in doubles. FLAB_CUDA_LIBRARY names the library:
// the one for GPUs where there is one, else the same sources on the emulator.

namespace flab::conformance {

// The backend under test and its opened device.
const FlabBackend& Backend();
FlabDevice* Device();

// Ends the test with what the backend says if `code` is not FLAB_OK.
void Expect(int code, const char* what);

// Memory of the device.
class Memory {
 public:
  explicit Memory(int64_t bytes);
  ~Memory();
  Memory(Memory&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}
  void* data() const { return data_; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
  int64_t bytes_;
};

// Copies to the device and back.
template <typename T>
Memory ToDevice(const std::vector<T>& values);
void Upload(void* to, const void* from, int64_t bytes);
void Download(void* to, const void* from, int64_t bytes);

template <typename T>
Memory ToDevice(const std::vector<T>& values) {
  Memory memory(static_cast<int64_t>(values.size() * sizeof(T)));
  Upload(memory.data(), values.data(), static_cast<int64_t>(values.size() * sizeof(T)));
  return memory;
}

template <typename T>
std::vector<T> FromDevice(const void* memory, int64_t count) {
  std::vector<T> values(count);
  Download(values.data(), memory, count * static_cast<int64_t>(sizeof(T)));
  return values;
}

// Numbers as a backend keeps them: f32 as they are, or rounded to a half.
struct Numbers {
  int32_t dtype;
  std::vector<std::byte> bytes;
  std::vector<double> values;  // what the bytes say
};
Numbers Round(const std::vector<float>& values, int32_t dtype);
inline Memory ToDevice(const Numbers& numbers) { return ToDevice(numbers.bytes); }

// The numbers of memory of the device.
std::vector<double> NumbersFromDevice(const void* memory, int32_t dtype, int64_t count);

// What one rounding to the dtype costs at most, relatively.
inline double RoundingOf(int32_t dtype) { return dtype == FLAB_BF16 ? 0x1p-8 : 0x1p-24; }

}  // namespace flab::conformance
