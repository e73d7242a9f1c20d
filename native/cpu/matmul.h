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
inline int64_t ItemBytes(Compute compute) { return compute == Compute::kBF16 ? 2 : 4; }

// How factors lie in memory: in items of 4 bytes, each an f32, or a pair of bf16 that follow each other in
// depth (the last of an odd depth is paired with zero). Pairs need a processor with a product of bf16;
// elsewhere bf16 factors are rounded and kept as f32.
class Format {
 public:
  Format(const Kernels& kernels, Compute compute) : kernels_(&kernels), compute_(compute), paired_(compute == Compute::kBF16 && kernels.tile_bf16) {}

  const Kernels& kernels() const { return *kernels_; }
  Compute compute() const { return compute_; }
  bool paired() const { return paired_; }
  // Items of one row, and numbers an item.
  int64_t Items(int64_t depth) const { return paired_ ? (depth + 1) / 2 : depth; }
  int64_t PerItem() const { return paired_ ? 2 : 1; }

  // out[k * count + i] = item k of rows[i], for `count` <= kPanel rows of `depth` numbers.
  void Interleave(const float* const* rows, int64_t count, int64_t depth, uint32_t* out) const;

  // c[rows, kPanel] = or += inputs * weights over `items` items; as Kernels::tile_f32 and tile_bf16.
  void Tile(int64_t rows, int64_t items, const uint32_t* inputs, const uint32_t* weights, float* c, int64_t c_stride, bool accumulate) const {
    if (paired_) {
      kernels_->tile_bf16(rows, items, inputs, weights, c, c_stride, accumulate);
    } else {
      kernels_->tile_f32(rows, items, reinterpret_cast<const float*>(inputs), reinterpret_cast<const float*>(weights), c, c_stride, accumulate);
    }
  }

 private:
  const Kernels* kernels_;
  Compute compute_;
  bool paired_;
};

// Weights [outputs, depth] rearranged in panels of kPanel outputs, [items, kPanel] each, the last one filled
// up with zeros.
class PackedMatrix {
 public:
  // Room for `outputs` x `depth`.
  PackedMatrix(const Format& format, int64_t outputs, int64_t depth)
      : format_(format), outputs_(outputs), depth_(depth), panel_items_(format.Items(depth) * kPanel), data_(panels() * panel_items_) {}

  // Fills panel `panel`: its output i is the row that rows[i] names, of whichever of several stacked tensors.
  // At most kPanel rows; the rest of the panel becomes zero.
  struct Row {
    const Tensor* tensor;
    int64_t row;
  };
  void FillPanel(int64_t panel, std::span<const Row> rows);

  const Format& format() const { return format_; }
  int64_t outputs() const { return outputs_; }
  int64_t depth() const { return depth_; }
  int64_t panels() const { return (outputs_ + kPanel - 1) / kPanel; }
  int64_t bytes() const { return data_.size() * 4; }
  const uint32_t* panel(int64_t i) const { return data_.data() + i * panel_items_; }

 private:
  Format format_;
  int64_t outputs_, depth_, panel_items_;
  Buffer<uint32_t> data_;
};

// Bytes of a packed matrix.
int64_t PackedBytes(const Format& format, int64_t outputs, int64_t depth);

// Packs the rows of `tensors` one under the other, on all threads.
PackedMatrix Pack(const Job& job, const Format& format, std::span<const Tensor* const> tensors);

// Inputs [rows, depth] rearranged in tiles of kernels.tile_rows rows, [items, rows of the tile] each. Memory is
// reused from call to call.
class PackedRows {
 public:
  // What was there is lost.
  void Reserve(const Format& format, int64_t rows, int64_t depth);

  // Packs the tile that begins with row `row` (a multiple of tile_rows) from rows of f32.
  void FillTile(const Format& format, int64_t row, const float* a, int64_t a_stride);
  // Columns [first, first + count) of it alone; `first` is a multiple of kPanel.
  void FillColumns(const Format& format, int64_t row, int64_t first, int64_t count, const float* a, int64_t a_stride);

  int64_t rows() const { return rows_; }
  int64_t depth() const { return depth_; }
  int64_t height(int64_t row) const { return row + tile_rows_ <= rows_ ? tile_rows_ : rows_ - row; }
  // Item 0 of the tile that begins with row `row`.
  const uint32_t* tile(int64_t row) const { return data_.data() + row * items_; }

 private:
  int64_t rows_ = 0, depth_ = 0, items_ = 0, tile_rows_ = 1;
  Buffer<uint32_t> data_;
};

// c[a.rows, ...] = or += a * weights^T on this thread alone, for outputs [32 * first_panel, ...) of `panels` panels; c points at
// the first of them. Each output is summed in the order of depth whatever the shapes.
void MultiplyPanels(const PackedRows& a, int64_t first_row, int64_t rows, const PackedMatrix& weights, int64_t first_panel, int64_t panels,
                    float* c, int64_t c_stride, bool accumulate);

// c[rows, outputs] = or += a[rows, depth] * weights^T, on all threads. Results do not depend on the number of rows or threads.
void Matmul(const Job& job, const float* a, int64_t a_stride, int64_t rows, const PackedMatrix& weights, float* c, int64_t c_stride,
            bool accumulate);

// Rows that one task handles best: whole tiles, whose inputs stay in the L2 cache (112 x 1024 items = 458 kB).
inline int64_t BlockRows(const Kernels& kernels) { return 112 / kernels.tile_rows * kernels.tile_rows; }

}  // namespace flab
