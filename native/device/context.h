#pragma once

#include <memory>

#include "backend/device.h"
#include "device/uploader.h"
#include "device/weights.h"

namespace flab {

// What all parts of one model on a device share.
struct DeviceContext {
  DeviceContext(std::shared_ptr<Device> device, const Model& model)
      : device(std::move(device)), model(model), uploader(this->device), weights(this->device, model, uploader) {}

  const std::shared_ptr<Device> device;
  const Model& model;
  Uploader uploader;
  DeviceWeights weights;
  // Bytes of states that outlive their chunk, and how many they may be, beside what the operation was planned to take.
  struct {
    int64_t taken = 0, most = 0;
  } saved;

  FlabDevice* handle() const { return device->handle; }
  const FlabBackend& backend() const { return device->backend; }
  void Check(int code, const char* what) const { device->Check(code, what); }

  // Of the products' factors.
  int32_t dtype() const { return model.format.compute() == Compute::kBF16 ? FLAB_BF16 : FLAB_F32; }
  int64_t item_bytes() const { return ItemBytes(model.format.compute()); }
  int64_t qkv_width() const { return model.spec.query_width() + 2 * model.spec.kv_width(); }

  template <typename T>
  DeviceMemory NewMemory(int64_t count, const char* what) const {
    return DeviceMemory(device, std::max<int64_t>(1, count) * static_cast<int64_t>(sizeof(T)), what);
  }
  template <typename T>
  DeviceMemory Sent(const std::vector<T>& values, const char* what) {
    DeviceMemory memory = NewMemory<T>(static_cast<int64_t>(values.size()), what);
    uploader.Send(memory.data(), values);
    return memory;
  }
};

}  // namespace flab
