#pragma once

#include <cstdint>
#include <span>

#include "base/buffer.h"
#include "base/job.h"
#include "base/tensor.h"
#include "cpu/kernels.h"

namespace flab {

// How products are computed: factors as they are in f32, or both rounded to bf16 and summed in f32.
enum class Compute { kF32, kBF16 };

// Weights [outputs, depth] rearranged in panels of kPanel outputs, [depth, kPanel] each, the last one
// filled up with zeros. bf16 weights for a processor with a bf16 product are in pairs, [depth / 2, kPanel, 2].
class PackedMatrix {
 public:
  // Room for `outputs` x `depth`, for the kernels that will read it.
  PackedMatrix(const Kernels& kernels, Compute compute, int64_t outputs, int64_t depth);

  // Fills panel `panel`: its output i is the row that rows[i] names, of whichever of several stacked tensors.
  // At most kPanel rows; the rest of the panel becomes zero.
  struct Row {
    const Tensor* tensor;
    int64_t row;
  };
  void FillPanel(int64_t panel, std::span<const Row> rows);

  int64_t outputs() const { return outputs_; }
  int64_t depth() const { return depth_; }
  int64_t panels() const { return (outputs_ + kPanel - 1) / kPanel; }
  int64_t bytes() const { return data_.size(); }
  Compute compute() const { return compute_; }
  bool paired() const { return paired_; }
  const std::byte* panel(int64_t i) const { return data_.data() + i * panel_bytes_; }

 private:
  Compute compute_;
  bool paired_;
  int64_t outputs_, depth_, panel_bytes_;
  Buffer<std::byte> data_;
};

// Packs the rows of `tensors` one under the other, on all threads.
PackedMatrix Pack(const Job& job, const Kernels& kernels, Compute compute, std::span<const Tensor* const> tensors);

// c[rows, outputs] = or += a[rows, depth] * weights^T, on all threads. Each output is summed in the order
// of depth whatever the shapes, so results do not depend on the number of rows or threads.
void Matmul(const Job& job, const Kernels& kernels, const float* a, int64_t a_stride, int64_t rows, const PackedMatrix& weights,
            float* c, int64_t c_stride, bool accumulate);

// The same on this thread alone, for outputs [32 * first_panel, ...) of `panels` panels; c points at the first of them.
void MatmulBlock(const Kernels& kernels, const float* a, int64_t a_stride, int64_t rows, const PackedMatrix& weights,
                 int64_t first_panel, int64_t panels, float* c, int64_t c_stride, bool accumulate);

// Rows of `a` that one MatmulBlock handles best: a block of A stays in the L2 cache.
constexpr int64_t kBlockRows = 112;  // 8 tiles of 14 rows; 112 x 512 bf16 = 112 kB

}  // namespace flab
