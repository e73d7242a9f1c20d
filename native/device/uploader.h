#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend/device.h"
#include "base/job.h"
#include "device/uploads.h"

namespace flab {

// Events of a device (FlabBackend::mark), by who uses them.
enum DeviceEvent : int32_t { kLayerEvents = 0, kHeadEvents = 4, kPieceEvents = 8, kBatchEvents = 12, kParcelEvents = 14 };

// Brings memory of the host to a device through a few pinned pieces: while one is under way, all threads fill the next.
class Uploader {
 public:
  static constexpr int64_t kPieceBytes = int64_t{32} << 20;

  // Pieces of another size are for tests.
  explicit Uploader(std::shared_ptr<Device> device, int64_t piece_bytes = kPieceBytes);

  // Puts a piece of what is left into the upload stream; with the last, nothing is left. Returns when the piece is under way.
  void SendPiece(const Job& job, Uploads& uploads);
  void SendAll(const Job& job, Uploads uploads);

  // Something small, for what is put into the compute stream after it.
  void Send(void* to, const void* from, int64_t bytes);
  template <typename T>
  void Send(void* to, const std::vector<T>& values) {
    Send(to, values.data(), static_cast<int64_t>(values.size() * sizeof(T)));
  }

  const std::shared_ptr<Device>& device() const { return device_; }
  // Memory of the host that this takes.
  static int64_t Bytes();

 private:
  const std::shared_ptr<Device> device_;
  const int64_t piece_bytes_;
  std::unique_ptr<PinnedMemory> pieces_, parcels_;
  int64_t next_piece_ = 0, next_parcel_ = 0;
};

}  // namespace flab
