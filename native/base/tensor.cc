#include "base/tensor.h"

namespace flab {

void Widen(const Tensor& tensor, int64_t begin, int64_t count, float* out) {
  if (count == 0) return;
  const std::byte* source = tensor.data + begin * ItemBytes(tensor.dtype);
  if (tensor.dtype == Dtype::kF32) {
    std::memcpy(out, source, count * 4);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    uint16_t bits;
    std::memcpy(&bits, source + 2 * i, 2);
    out[i] = tensor.dtype == Dtype::kBF16 ? FromBF16(bits) : FromF16(bits);
  }
}

void Release(const Tensor& tensor, int64_t first_row, int64_t rows) {
  if (tensor.file) tensor.file->Release(tensor.data + first_row * tensor.row_bytes(), rows * tensor.row_bytes());
}

std::vector<float> ToFloats(const Tensor& tensor) {
  std::vector<float> values(tensor.rows * tensor.columns);
  Widen(tensor, 0, tensor.rows * tensor.columns, values.data());
  Release(tensor);
  return values;
}

}  // namespace flab
