#include "device/uploader.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace flab {
namespace {

// Three: one on its way, one that is filled, one that waits.
constexpr int64_t kPieces = 3;
constexpr int64_t kPieceBytes = int64_t{32} << 20;
// What is sent at a time, and waited for.
constexpr int64_t kParcelBytes = int64_t{4} << 20;
// Of a task: long enough that reading from the page cache is at its best.
constexpr int64_t kTaskBytes = int64_t{1} << 20;

// Bytes of the checkpoint, past its mapping where there is one: no page of it becomes resident.
void ReadBytes(const Tensor& tensor, int64_t begin, int64_t bytes, std::byte* out) {
  if (tensor.file) {
    tensor.file->Read(tensor.data + begin - tensor.file->data(), bytes, out);
  } else {
    std::memcpy(out, tensor.data + begin, static_cast<size_t>(bytes));
  }
}

bool IsStoredAs(const Tensor& tensor, Compute compute) { return tensor.dtype == (compute == Compute::kBF16 ? Dtype::kBF16 : Dtype::kF32); }

// Elements [begin, begin + count) in the dtype of the products, rounded as the CPU rounds them.
void ReadElements(const Tensor& tensor, int64_t begin, int64_t count, Compute compute, std::byte* out) {
  if (IsStoredAs(tensor, compute)) return ReadBytes(tensor, begin * ItemBytes(tensor.dtype), count * ItemBytes(tensor.dtype), out);
  if (compute == Compute::kF32) return Widen(tensor, begin, count, reinterpret_cast<float*>(out));
  std::vector<float> wide(count);
  Widen(tensor, begin, count, wide.data());
  ActiveKernels().to_bf16(wide.data(), count, reinterpret_cast<uint16_t*>(out));
}

int64_t ComputeBytes(Compute compute) { return compute == Compute::kBF16 ? 2 : 4; }

}  // namespace

Uploader::Uploader(std::shared_ptr<Device> device) : device_(std::move(device)) {}

int64_t Uploader::Bytes() { return kPieces * kPieceBytes + kParcelBytes; }

void Uploader::Rows(const Job& job, const Tensor& tensor, int64_t first, int64_t count, Compute compute, void* to) {
  Stream(job, count * tensor.columns, ComputeBytes(compute), to,
         [&](int64_t begin, int64_t items, std::byte* out) { ReadElements(tensor, first * tensor.columns + begin, items, compute, out); });
}

void Uploader::ChosenRows(const Job& job, const Tensor& tensor, std::span<const uint32_t> rows, Compute compute, void* to) {
  const int64_t row_bytes = tensor.columns * ComputeBytes(compute);
  Stream(job, static_cast<int64_t>(rows.size()), row_bytes, to, [&](int64_t first, int64_t count, std::byte* out) {
    for (int64_t i = 0; i < count; ++i) ReadElements(tensor, int64_t{rows[first + i]} * tensor.columns, tensor.columns, compute, out + i * row_bytes);
  });
}

void Uploader::ChosenRowsAsStored(const Job& job, const Tensor& tensor, std::span<const uint32_t> rows, void* to) {
  Stream(job, static_cast<int64_t>(rows.size()), tensor.row_bytes(), to, [&](int64_t first, int64_t count, std::byte* out) {
    for (int64_t i = 0; i < count; ++i) ReadBytes(tensor, int64_t{rows[first + i]} * tensor.row_bytes(), tensor.row_bytes(), out + i * tensor.row_bytes());
  });
}

void Uploader::Stream(const Job& job, int64_t items, int64_t item_bytes, void* to, const std::function<void(int64_t, int64_t, std::byte*)>& fill) {
  if (!pieces_) pieces_ = std::make_unique<PinnedMemory>(device_, kPieces * kPieceBytes);
  if (item_bytes > kPieceBytes) throw Error("ERR_DEVICE_MEMORY", "uploading: expected rows of at most " + std::to_string(kPieceBytes) + " bytes, got " + std::to_string(item_bytes));
  const int64_t piece_items = kPieceBytes / item_bytes, task_items = std::max<int64_t>(1, kTaskBytes / item_bytes);
  const FlabBackend& backend = device_->backend;
  for (int64_t first = 0; first < items; first += piece_items, next_ = (next_ + 1) % kPieces) {
    const int64_t count = std::min(piece_items, items - first);
    std::byte* piece = pieces_->data() + next_ * kPieceBytes;
    const auto event = static_cast<int32_t>(kPieceEvents + next_);
    device_->Check(backend.wait_here(device_->handle, event), "uploading");
    job.Parallel((count + task_items - 1) / task_items, [&](int64_t task) {
      const int64_t begin = task * task_items;
      fill(first + begin, std::min(task_items, count - begin), piece + begin * item_bytes);
    });
    device_->Check(backend.upload(device_->handle, FLAB_UPLOAD, static_cast<std::byte*>(to) + first * item_bytes, piece, count * item_bytes), "uploading");
    device_->Check(backend.mark(device_->handle, FLAB_UPLOAD, event), "uploading");
  }
}

void Uploader::Send(void* to, const void* from, int64_t bytes) {
  if (!parcel_) parcel_ = std::make_unique<PinnedMemory>(device_, kParcelBytes);
  for (int64_t sent = 0; sent < bytes; sent += kParcelBytes) {
    const int64_t size = std::min(kParcelBytes, bytes - sent);
    std::memcpy(parcel_->data(), static_cast<const std::byte*>(from) + sent, static_cast<size_t>(size));
    device_->Check(device_->backend.upload(device_->handle, FLAB_COMPUTE, static_cast<std::byte*>(to) + sent, parcel_->data(), size), "uploading");
    device_->Check(device_->backend.synchronize(device_->handle, FLAB_COMPUTE), "uploading");
  }
}

}  // namespace flab
