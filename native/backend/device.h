#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "backend/library.h"

namespace flab {

// A device of a backend, open. One job at a time; closed when the last of its memory is gone.
class Device {
 public:
  // `products`: as in FlabBackend::open. `limit`: bytes that may be taken of its memory; 0: all that is there.
  static std::shared_ptr<Device> Open(const FlabBackend& backend, int32_t index, const char* products, int64_t limit);
  ~Device();
  Device(const Device&) = delete;

  const FlabBackend& backend;
  FlabDevice* const handle;

  const FlabDeviceInfo& info() const { return info_; }
  std::string products() const;
  bool fast_products() const;

  // Bytes that may still be taken.
  int64_t Left();

  // Throws what BackendError makes of a code other than FLAB_OK.
  void Check(int code, const char* what) const {
    if (code != FLAB_OK) throw BackendError(backend, what);
  }

 private:
  friend class DeviceMemory;
  Device(const FlabBackend& backend, FlabDevice* handle, const FlabDeviceInfo& info, int64_t limit) : backend(backend), handle(handle), info_(info), limit_(limit) {}

  const FlabDeviceInfo info_;
  const int64_t limit_;
  std::atomic<int64_t> taken_{0};  // models of one device may be let go of on any thread
};

// Memory of a device. Moved, not copied. Throws Error("ERR_DEVICE_MEMORY").
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(std::shared_ptr<Device> device, int64_t bytes, const char* what);
  ~DeviceMemory() { Free(); }
  DeviceMemory(DeviceMemory&& other) noexcept { *this = std::move(other); }
  DeviceMemory& operator=(DeviceMemory&& other) noexcept;

  int64_t bytes() const { return bytes_; }
  template <typename T = void>
  T* data(int64_t first_byte = 0) const {
    return reinterpret_cast<T*>(static_cast<char*>(data_) + first_byte);
  }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  void Free();

  std::shared_ptr<Device> device_;
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

// Memory of the host that a device reads at full speed, while other work goes on.
class PinnedMemory {
 public:
  PinnedMemory(std::shared_ptr<Device> device, int64_t bytes);
  ~PinnedMemory();
  PinnedMemory(const PinnedMemory&) = delete;

  template <typename T = std::byte>
  T* data() const {
    return static_cast<T*>(data_);
  }
  int64_t bytes() const { return bytes_; }

 private:
  const std::shared_ptr<Device> device_;
  void* data_ = nullptr;
  const int64_t bytes_;
};

}  // namespace flab
