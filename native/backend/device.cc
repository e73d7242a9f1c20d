#include "backend/device.h"

#include <algorithm>

namespace flab {
namespace {

// Left alone for the driver, the library of products and what fragments.
constexpr int64_t kReserve = int64_t{128} << 20;

}  // namespace

std::shared_ptr<Device> Device::Open(const FlabBackend& backend, int32_t index, const char* products, int64_t limit) {
  int32_t count = 0;
  if (backend.count(&count) != FLAB_OK) throw BackendError(backend, "looking for devices");
  if (index < 0 || index >= count) {
    throw Error("ERR_NO_DEVICE", "device: expected a number below " + std::to_string(count) + ", the number of CUDA devices here, got " + std::to_string(index));
  }
  FlabDeviceInfo info;
  FlabDevice* handle = nullptr;
  const std::string what = "opening CUDA device " + std::to_string(index);
  if (backend.info(index, &info) != FLAB_OK || backend.open(index, products, &handle) != FLAB_OK) throw BackendError(backend, what);
  return std::shared_ptr<Device>(new Device(backend, handle, info, limit));
}

Device::~Device() { backend.close(handle); }

std::string Device::products() const {
  int32_t fast = 0;
  return backend.products(handle, &fast);
}

bool Device::fast_products() const {
  int32_t fast = 0;
  backend.products(handle, &fast);
  return fast != 0;
}

int64_t Device::Left() {
  int64_t available = 0;
  Check(backend.available(handle, &available), "asking for the memory of the device");
  const int64_t left = std::max<int64_t>(0, available - kReserve);
  return limit_ > 0 ? std::min(left, std::max<int64_t>(0, limit_ - taken_)) : left;
}

DeviceMemory::DeviceMemory(std::shared_ptr<Device> device, int64_t bytes, const char* what) : device_(std::move(device)), bytes_(bytes) {
  if (device_->limit_ > 0 && device_->taken_ + bytes > device_->limit_) {
    throw Error("ERR_DEVICE_MEMORY", std::string(what) + ": expected " + std::to_string(bytes) + " bytes of device memory, got " +
                                         std::to_string(device_->limit_ - device_->taken_) + " left below maxDeviceMemory");
  }
  device_->Check(device_->backend.allocate(device_->handle, bytes, &data_), what);
  device_->taken_ += bytes;
}

DeviceMemory& DeviceMemory::operator=(DeviceMemory&& other) noexcept {
  if (this == &other) return *this;
  Free();
  device_ = std::move(other.device_);
  data_ = std::exchange(other.data_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

void DeviceMemory::Free() {
  if (!data_) return;
  device_->backend.release(device_->handle, data_);
  device_->taken_ -= bytes_;
  data_ = nullptr;
}

PinnedMemory::PinnedMemory(std::shared_ptr<Device> device, int64_t bytes) : device_(std::move(device)), bytes_(bytes) {
  device_->Check(device_->backend.allocate_pinned(device_->handle, bytes, &data_), "pinning memory of the host");
}

PinnedMemory::~PinnedMemory() { device_->backend.release_pinned(device_->handle, data_); }

}  // namespace flab
