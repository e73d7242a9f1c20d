#include "cpu/matmul.h"

#include <algorithm>
#include <vector>

#include "base/thread_pool.h"

namespace flab {
namespace {

// Items a pass over the depth: the inputs of a block and a panel of weights (128 kB) stay in the L2 cache.
constexpr int64_t kPassItems = 1024;

// Reused from call to call by each thread.
struct Scratch {
  Buffer<float> wide;
  Buffer<uint32_t> items, zeros;
  Buffer<float> edge;
};
thread_local Scratch scratch;

const uint32_t* Zeros(int64_t items) {
  if (scratch.zeros.size() < items) {
    scratch.zeros.Reserve(items);
    std::fill_n(scratch.zeros.data(), items, 0);
  }
  return scratch.zeros.data();
}

// A row's f32 as items; `out` has room for Items(depth).
void Round(const Format& format, const float* row, int64_t depth, uint32_t* out) {
  auto* halves = reinterpret_cast<uint16_t*>(out);
  if (format.paired()) {
    format.kernels().to_bf16(row, depth, halves);
    if (depth % 2) halves[depth] = 0;
  } else {
    // Rounded values as f32: the upper halves.
    for (int64_t k = 0; k < depth; ++k) {
      const float rounded = FromBF16(ToBF16(row[k]));
      std::memcpy(out + k, &rounded, 4);
    }
  }
}

}  // namespace

void Format::Interleave(const float* const* rows, int64_t count, int64_t depth, uint32_t* out) const {
  const uint32_t* items[kPanel];
  if (compute_ == Compute::kF32) {
    for (int64_t i = 0; i < count; ++i) items[i] = reinterpret_cast<const uint32_t*>(rows[i]);
  } else {
    const int64_t row_items = Items(depth);
    uint32_t* rounded = scratch.items.Reserve(kPanel * row_items);
    for (int64_t i = 0; i < count; ++i) {
      Round(*this, rows[i], depth, rounded + i * row_items);
      items[i] = rounded + i * row_items;
    }
  }
  kernels_->interleave(items, count, Items(depth), out);
}

void PackedMatrix::FillPanel(int64_t panel, std::span<const Row> rows) {
  const int64_t items = format_.Items(depth_);
  uint32_t* out = data_.data() + panel * panel_items_;
  const uint32_t* sources[kPanel];
  uint32_t* converted = nullptr;
  float* wide = nullptr;
  for (int64_t j = 0; j < kPanel; ++j) {
    if (j >= static_cast<int64_t>(rows.size())) {
      sources[j] = Zeros(items);
      continue;
    }
    const Tensor& tensor = *rows[j].tensor;
    const bool as_is = format_.paired() ? tensor.dtype == Dtype::kBF16 && depth_ % 2 == 0 : format_.compute() == Compute::kF32 && tensor.dtype == Dtype::kF32;
    if (as_is) {
      // The weights as they lie in the file are the items.
      sources[j] = reinterpret_cast<const uint32_t*>(tensor.data + rows[j].row * tensor.row_bytes());
      continue;
    }
    if (!converted) converted = scratch.items.Reserve(kPanel * items), wide = scratch.wide.Reserve(depth_);
    Widen(tensor, rows[j].row * depth_, depth_, wide);
    if (format_.compute() == Compute::kF32) {
      std::memcpy(converted + j * items, wide, depth_ * 4);
    } else {
      Round(format_, wide, depth_, converted + j * items);
    }
    sources[j] = converted + j * items;
  }
  format_.kernels().interleave(sources, kPanel, items, out);
}

int64_t PackedBytes(const Format& format, int64_t outputs, int64_t depth) {
  return (outputs + kPanel - 1) / kPanel * kPanel * format.Items(depth) * 4;
}

PackedMatrix Pack(const Job& job, const Format& format, std::span<const Tensor* const> tensors) {
  std::vector<PackedMatrix::Row> rows;
  for (const Tensor* tensor : tensors) {
    for (int64_t row = 0; row < tensor->rows; ++row) rows.push_back({tensor, row});
  }
  PackedMatrix packed(format, static_cast<int64_t>(rows.size()), tensors[0]->columns);
  job.Parallel(packed.panels(), [&](int64_t panel) {
    const int64_t begin = panel * kPanel, end = std::min<int64_t>(begin + kPanel, rows.size());
    packed.FillPanel(panel, std::span(rows).subspan(begin, end - begin));
  });
  return packed;
}

void PackedRows::Reserve(const Format& format, int64_t rows, int64_t depth) {
  rows_ = rows;
  depth_ = depth;
  items_ = format.Items(depth);
  tile_rows_ = format.kernels().tile_rows;
  data_.Reserve(rows * items_);
}

void PackedRows::FillTile(const Format& format, int64_t row, const float* a, int64_t a_stride) {
  FillColumns(format, row, 0, depth_, a, a_stride);
}

void PackedRows::FillColumns(const Format& format, int64_t row, int64_t first, int64_t count, const float* a, int64_t a_stride) {
  const float* rows[kPanel];
  const int64_t tile_height = height(row);
  for (int64_t i = 0; i < tile_height; ++i) rows[i] = a + i * a_stride;
  format.Interleave(rows, tile_height, count, data_.data() + row * items_ + first / format.PerItem() * tile_height);
}

void MultiplyPanels(const PackedRows& a, int64_t first_row, int64_t rows, const PackedMatrix& weights, int64_t first_panel, int64_t panels,
                    float* c, int64_t c_stride, bool accumulate) {
  const Format& format = weights.format();
  const int64_t items = format.Items(weights.depth()), passes = std::max<int64_t>(1, (items + kPassItems - 1) / kPassItems);
  const int64_t step = (items + passes - 1) / passes, tile_rows = format.kernels().tile_rows;
  float* edge = scratch.edge.Reserve(tile_rows * kPanel);
  for (int64_t begin = 0; begin < items || begin == 0; begin += std::max<int64_t>(1, step)) {
    const int64_t count = std::min(step, items - begin);
    const bool add = accumulate || begin > 0;
    for (int64_t panel = 0; panel < panels; ++panel) {
      const int64_t width = std::min(kPanel, weights.outputs() - (first_panel + panel) * kPanel);
      const uint32_t* b = weights.panel(first_panel + panel) + begin * kPanel;
      for (int64_t row = 0; row < rows; row += tile_rows) {
        const int64_t height = a.height(first_row + row);
        const uint32_t* inputs = a.tile(first_row + row) + begin * height;
        float* target = c + row * c_stride + panel * kPanel;
        if (width == kPanel) {
          format.Tile(height, count, inputs, b, target, c_stride, add);
          continue;
        }
        for (int64_t i = 0; add && i < height; ++i) std::memcpy(edge + i * kPanel, target + i * c_stride, width * 4);
        format.Tile(height, count, inputs, b, edge, kPanel, add);
        for (int64_t i = 0; i < height; ++i) std::memcpy(target + i * c_stride, edge + i * kPanel, width * 4);
      }
    }
  }
}

void Matmul(const Job& job, const float* a, int64_t a_stride, int64_t rows, const PackedMatrix& weights, float* c, int64_t c_stride,
            bool accumulate) {
  if (rows == 0) return job.CheckCancelled();
  const Format& format = weights.format();
  const int64_t tile_rows = format.kernels().tile_rows, block_rows = BlockRows(format.kernels());
  PackedRows packed;
  packed.Reserve(format, rows, weights.depth());
  job.Parallel((rows + tile_rows - 1) / tile_rows, [&](int64_t tile) {
    packed.FillTile(format, tile * tile_rows, a + tile * tile_rows * a_stride, a_stride);
  });
  // Blocks of outputs small enough that all threads find them in a shared cache, rows innermost; and enough tasks for every thread.
  constexpr int64_t kWeightBytes = 2 << 20;
  const int64_t row_blocks = (rows + block_rows - 1) / block_rows, panel_bytes = std::max<int64_t>(1, PackedBytes(format, kPanel, weights.depth()));
  const int64_t wanted = (3 * ThreadPool::Process().threads() + row_blocks - 1) / row_blocks;
  const int64_t panels = std::max<int64_t>(1, std::min(kWeightBytes / panel_bytes, (weights.panels() + wanted - 1) / wanted));
  const int64_t column_blocks = (weights.panels() + panels - 1) / panels;
  job.Parallel(row_blocks * column_blocks, [&](int64_t task) {
    const int64_t row = task % row_blocks * block_rows, first = task / row_blocks * panels;
    MultiplyPanels(packed, row, std::min(block_rows, rows - row), weights, first, std::min(panels, weights.panels() - first),
                   c + row * c_stride + first * kPanel, c_stride, accumulate);
  });
}

}  // namespace flab
