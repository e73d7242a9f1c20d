#include "device/uploader.h"

#include <algorithm>
#include <cstring>

namespace flab {
namespace {

// Three: one on its way, one that is filled, one that waits.
constexpr int64_t kPieces = 3;
// Two: one on its way, one that is filled.
constexpr int64_t kParcels = 2, kParcelBytes = int64_t{4} << 20;
// Of a task: long enough that reading from the page cache is at its best.
constexpr int64_t kTaskBytes = int64_t{1} << 20;

// What the threads do, each with a task at a time.
std::vector<Uploads::Part> TasksOf(const std::vector<Uploads::Part>& parts) {
  std::vector<Uploads::Part> tasks;
  for (const auto& [upload, first, count, offset] : parts) {
    const int64_t most = std::max<int64_t>(1, kTaskBytes / upload->item_bytes);
    for (int64_t begin = 0; begin < count; begin += most) {
      tasks.push_back({upload, first + begin, std::min(most, count - begin), offset + begin * upload->item_bytes});
    }
  }
  return tasks;
}

}  // namespace

Uploader::Uploader(std::shared_ptr<Device> device, int64_t piece_bytes) : device_(std::move(device)), piece_bytes_(piece_bytes) {}

int64_t Uploader::Bytes() { return kPieces * kPieceBytes + kParcels * kParcelBytes; }

void Uploader::SendPiece(const Job& job, Uploads& uploads) {
  if (!pieces_) pieces_ = std::make_unique<PinnedMemory>(device_, kPieces * piece_bytes_);
  const FlabBackend& backend = device_->backend;
  const std::vector<Uploads::Part> parts = uploads.Take(piece_bytes_), tasks = TasksOf(parts);
  std::byte* piece = pieces_->data() + next_piece_ * piece_bytes_;
  const auto event = static_cast<int32_t>(kPieceEvents + next_piece_);
  device_->Check(backend.wait_here(device_->handle, event), "uploading");
  job.Parallel(static_cast<int64_t>(tasks.size()), [&](int64_t i) { tasks[i].upload->fill(tasks[i].first, tasks[i].count, piece + tasks[i].offset); });
  for (const auto& [upload, first, count, offset] : parts) {
    std::byte* to = static_cast<std::byte*>(upload->to) + first * upload->item_bytes;
    device_->Check(backend.upload(device_->handle, FLAB_UPLOAD, to, piece + offset, count * upload->item_bytes), "uploading");
  }
  device_->Check(backend.mark(device_->handle, FLAB_UPLOAD, event), "uploading");
  next_piece_ = (next_piece_ + 1) % kPieces;
}

void Uploader::SendAll(const Job& job, Uploads uploads) {
  while (!uploads.done()) SendPiece(job, uploads);
}

void Uploader::Send(void* to, const void* from, int64_t bytes) {
  if (!parcels_) parcels_ = std::make_unique<PinnedMemory>(device_, kParcels * kParcelBytes);
  const FlabBackend& backend = device_->backend;
  for (int64_t sent = 0; sent < bytes; sent += kParcelBytes, next_parcel_ = (next_parcel_ + 1) % kParcels) {
    const int64_t size = std::min(kParcelBytes, bytes - sent);
    std::byte* parcel = parcels_->data() + next_parcel_ * kParcelBytes;
    const auto event = static_cast<int32_t>(kParcelEvents + next_parcel_);
    device_->Check(backend.wait_here(device_->handle, event), "uploading");
    std::memcpy(parcel, static_cast<const std::byte*>(from) + sent, static_cast<size_t>(size));
    device_->Check(backend.upload(device_->handle, FLAB_COMPUTE, static_cast<std::byte*>(to) + sent, parcel, size), "uploading");
    device_->Check(backend.mark(device_->handle, FLAB_COMPUTE, event), "uploading");
  }
}

}  // namespace flab
