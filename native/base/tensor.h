#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/mapped_file.h"

namespace flab {

// A row-major matrix (or vector: one column) somewhere in memory that `owner` keeps alive. The elements
// need not be aligned: a checkpoint's tensors start where they start.
struct Tensor {
  const std::byte* data = nullptr;
  Dtype dtype = Dtype::kF32;
  int64_t rows = 0;
  int64_t columns = 1;
  std::shared_ptr<const void> owner;
  std::string name;
  const MappedFile* file = nullptr;  // that it lies in, if any

  explicit operator bool() const { return data != nullptr; }
  int64_t row_bytes() const { return columns * ItemBytes(dtype); }
};

// Widens elements [begin, begin + count) of the tensor, counted in row-major order.
void Widen(const Tensor& tensor, int64_t begin, int64_t count, float* out);

// Lets go of the memory of rows that will not be read for a while, if they lie in a mapped file.
void Release(const Tensor& tensor, int64_t first_row, int64_t rows);
inline void Release(const Tensor& tensor) { Release(tensor, 0, tensor.rows); }

// All elements as f32.
std::vector<float> ToFloats(const Tensor& tensor);

}  // namespace flab
