#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "backend/device.h"
#include "base/job.h"
#include "base/tensor.h"
#include "cpu/matmul.h"

namespace flab {

// Events of a device (FlabBackend::mark), by who uses them.
enum DeviceEvent : int32_t { kLayerEvents = 0, kHeadEvents = 4, kPieceEvents = 8, kBatchEvents = 12 };

// Brings memory of the host to a device through a few pinned pieces: while one is under way, all threads fill the next.
class Uploader {
 public:
  explicit Uploader(std::shared_ptr<Device> device);

  // Rows of a tensor in the dtype that products are computed in, put into the upload stream. Returns when the last piece is under way.
  void Rows(const Job& job, const Tensor& tensor, int64_t first, int64_t count, Compute compute, void* to);
  // The same of chosen rows, one after the other.
  void ChosenRows(const Job& job, const Tensor& tensor, std::span<const uint32_t> rows, Compute compute, void* to);
  // Chosen rows as they are stored.
  void ChosenRowsAsStored(const Job& job, const Tensor& tensor, std::span<const uint32_t> rows, void* to);

  // Something small, there when it returns.
  void Send(void* to, const void* from, int64_t bytes);
  template <typename T>
  void Send(void* to, const std::vector<T>& values) {
    Send(to, values.data(), static_cast<int64_t>(values.size() * sizeof(T)));
  }

  // Memory of the host that this takes.
  static int64_t Bytes();

 private:
  // fill(first, count, out): items [first, first + count) of `items`, item_bytes each.
  void Stream(const Job& job, int64_t items, int64_t item_bytes, void* to, const std::function<void(int64_t, int64_t, std::byte*)>& fill);

  const std::shared_ptr<Device> device_;
  std::unique_ptr<PinnedMemory> pieces_, parcel_;
  int64_t next_ = 0;
};

}  // namespace flab
