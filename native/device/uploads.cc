#include "device/uploads.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace flab {
namespace {

// Of what begins within a piece: lines of the host's cache.
constexpr int64_t kAlignment = 64;

// Bytes of the checkpoint, past its mapping where there is one: no page of it becomes resident.
void ReadBytes(const Tensor& tensor, int64_t begin, int64_t bytes, std::byte* out) {
  if (tensor.file) {
    tensor.file->Read(tensor.data + begin - tensor.file->data(), bytes, out);
  } else {
    std::memcpy(out, tensor.data + begin, static_cast<size_t>(bytes));
  }
}

bool IsStoredAs(const Tensor& tensor, Compute compute) { return tensor.dtype == (compute == Compute::kBF16 ? Dtype::kBF16 : Dtype::kF32); }

// Elements [begin, begin + count).
void ReadElements(const Tensor& tensor, int64_t begin, int64_t count, Compute compute, std::byte* out) {
  if (IsStoredAs(tensor, compute)) return ReadBytes(tensor, begin * ItemBytes(tensor.dtype), count * ItemBytes(tensor.dtype), out);
  if (compute == Compute::kF32) return Widen(tensor, begin, count, reinterpret_cast<float*>(out));
  std::vector<float> wide(count);
  Widen(tensor, begin, count, wide.data());
  ActiveKernels().to_bf16(wide.data(), count, reinterpret_cast<uint16_t*>(out));
}

}  // namespace

Upload WholeUpload(const Tensor& tensor, Compute compute, void* to) {
  return {tensor.rows * tensor.columns, ItemBytes(compute), to, [&tensor, compute](int64_t first, int64_t count, std::byte* out) { ReadElements(tensor, first, count, compute, out); }};
}

Upload RowsUpload(const Tensor& tensor, std::span<const uint32_t> rows, Compute compute, void* to) {
  const int64_t row_bytes = tensor.columns * ItemBytes(compute);
  return {static_cast<int64_t>(rows.size()), row_bytes, to, [&tensor, rows, compute, row_bytes](int64_t first, int64_t count, std::byte* out) {
            for (int64_t i = 0; i < count; ++i) ReadElements(tensor, int64_t{rows[first + i]} * tensor.columns, tensor.columns, compute, out + i * row_bytes);
          }};
}

Upload StoredRowsUpload(const Tensor& tensor, std::span<const uint32_t> rows, void* to) {
  return {static_cast<int64_t>(rows.size()), tensor.row_bytes(), to, [&tensor, rows](int64_t first, int64_t count, std::byte* out) {
            for (int64_t i = 0; i < count; ++i) ReadBytes(tensor, int64_t{rows[first + i]} * tensor.row_bytes(), tensor.row_bytes(), out + i * tensor.row_bytes());
          }};
}

Upload ZerosUpload(int64_t bytes, void* to) {
  return {bytes, 1, to, [](int64_t, int64_t count, std::byte* out) { std::memset(out, 0, static_cast<size_t>(count)); }};
}

std::vector<Uploads::Part> Uploads::Take(int64_t bytes) {
  std::vector<Part> parts;
  int64_t offset = 0;
  while (!done() && offset < bytes) {
    const Upload& upload = all_[next_];
    if (upload.item_bytes > bytes) {
      throw Error("ERR_DEVICE_MEMORY", "uploading: expected rows of at most " + std::to_string(bytes) + " bytes, got " + std::to_string(upload.item_bytes));
    }
    const int64_t count = std::min(upload.items - first_, (bytes - offset) / upload.item_bytes);
    if (count > 0) parts.push_back({&upload, first_, count, offset});
    first_ += count;
    if (first_ < upload.items) break;
    offset += (count * upload.item_bytes + kAlignment - 1) / kAlignment * kAlignment;
    ++next_, first_ = 0;
  }
  return parts;
}

}  // namespace flab
