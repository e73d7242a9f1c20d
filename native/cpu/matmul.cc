#include "cpu/matmul.h"

#include <algorithm>
#include <vector>

#include "base/thread_pool.h"

namespace flab {
namespace {

// Inputs per pass: a panel of 512 pairs-of-bf16 rows or 256 f32 rows is 32 kB, the size of an L1 cache.
constexpr int64_t kDepthBF16 = 512, kDepthF32 = 256;

// Reused from call to call by each thread.
struct Scratch {
  Buffer<float> a;
  Buffer<uint16_t> rounded;
  Buffer<float> edge;
};
thread_local Scratch scratch;

// a[k, i] = input row i at depth begin + k; as f32, rounded to bf16 first if asked for.
void PackTileF32(const Kernels& kernels, const float* a, int64_t a_stride, int64_t rows, int64_t begin, int64_t depth, bool round,
                 float* out) {
  uint16_t* rounded = round ? scratch.rounded.Reserve(depth) : nullptr;
  for (int64_t i = 0; i < rows; ++i) {
    const float* row = a + i * a_stride + begin;
    if (round) kernels.to_bf16(row, depth, rounded);
    for (int64_t k = 0; k < depth; ++k) out[k * rows + i] = round ? FromBF16(rounded[k]) : row[k];
  }
}

// a[k, i] = the pair of bf16 at depth begin + 2k, begin + 2k + 1; past the end of an odd depth, zero.
void PackTilePairs(const Kernels& kernels, const float* a, int64_t a_stride, int64_t rows, int64_t begin, int64_t depth,
                   uint32_t* out) {
  const int64_t pairs = (depth + 1) / 2;
  uint16_t* rounded = scratch.rounded.Reserve(2 * pairs);
  for (int64_t i = 0; i < rows; ++i) {
    kernels.to_bf16(a + i * a_stride + begin, depth, rounded);
    if (depth % 2) rounded[depth] = 0;
    for (int64_t k = 0; k < pairs; ++k) std::memcpy(out + k * rows + i, rounded + 2 * k, 4);
  }
}

}  // namespace

PackedMatrix::PackedMatrix(const Kernels& kernels, Compute compute, int64_t outputs, int64_t depth)
    : compute_(compute),
      paired_(compute == Compute::kBF16 && kernels.tile_bf16),
      outputs_(outputs),
      depth_(depth),
      panel_bytes_(paired_ ? (depth + 1) / 2 * kPanel * 4 : depth * kPanel * 4),
      data_(panels() * panel_bytes_) {}

void PackedMatrix::FillPanel(int64_t panel, std::span<const Row> rows) {
  constexpr int64_t kBlock = 64;  // inputs at a time: 64 x 128 B of the panel stay in the L1 cache
  std::byte* out = data_.data() + panel * panel_bytes_;
  if (static_cast<int64_t>(rows.size()) < kPanel) std::memset(out, 0, panel_bytes_);
  float values[kBlock];
  for (int64_t begin = 0; begin < depth_; begin += kBlock) {
    const int64_t count = std::min(kBlock, depth_ - begin);
    for (size_t j = 0; j < rows.size(); ++j) {
      const Tensor& tensor = *rows[j].tensor;
      Widen(tensor, rows[j].row * tensor.columns + begin, count, values);
      if (paired_) {
        auto* pairs = reinterpret_cast<uint16_t*>(out);
        for (int64_t k = 0; k < count; ++k) {
          pairs[((begin + k) / 2 * kPanel + j) * 2 + (begin + k) % 2] = ToBF16(values[k]);
        }
        if (begin + count == depth_ && depth_ % 2) pairs[(depth_ / 2 * kPanel + j) * 2 + 1] = 0;
      } else {
        auto* floats = reinterpret_cast<float*>(out);
        for (int64_t k = 0; k < count; ++k) {
          floats[(begin + k) * kPanel + j] = compute_ == Compute::kBF16 ? FromBF16(ToBF16(values[k])) : values[k];
        }
      }
    }
  }
}

PackedMatrix Pack(const Job& job, const Kernels& kernels, Compute compute, std::span<const Tensor* const> tensors) {
  std::vector<PackedMatrix::Row> rows;
  for (const Tensor* tensor : tensors) {
    for (int64_t row = 0; row < tensor->rows; ++row) rows.push_back({tensor, row});
  }
  PackedMatrix packed(kernels, compute, static_cast<int64_t>(rows.size()), tensors[0]->columns);
  job.Parallel(packed.panels(), [&](int64_t panel) {
    const int64_t begin = panel * kPanel, end = std::min<int64_t>(begin + kPanel, rows.size());
    packed.FillPanel(panel, std::span(rows).subspan(begin, end - begin));
  });
  return packed;
}

void MatmulBlock(const Kernels& kernels, const float* a, int64_t a_stride, int64_t rows, const PackedMatrix& weights,
                 int64_t first_panel, int64_t panels, float* c, int64_t c_stride, bool accumulate) {
  const int64_t depth = weights.depth(), tile_rows = kernels.tile_rows;
  const int64_t step = weights.paired() ? kDepthBF16 : kDepthF32;
  const bool round = weights.compute() == Compute::kBF16;
  float* packed = scratch.a.Reserve(rows * step);
  float* edge = scratch.edge.Reserve(tile_rows * kPanel);
  for (int64_t begin = 0; begin < depth; begin += step) {
    const int64_t count = std::min(step, depth - begin);
    const int64_t items = weights.paired() ? (count + 1) / 2 : count;  // f32 values or pairs a row
    for (int64_t row = 0; row < rows; row += tile_rows) {
      const int64_t height = std::min(tile_rows, rows - row);
      float* out = packed + row * items;
      if (weights.paired()) {
        PackTilePairs(kernels, a + row * a_stride, a_stride, height, begin, count, reinterpret_cast<uint32_t*>(out));
      } else {
        PackTileF32(kernels, a + row * a_stride, a_stride, height, begin, count, round, out);
      }
    }
    const bool add = accumulate || begin > 0;
    for (int64_t panel = 0; panel < panels; ++panel) {
      const int64_t first_output = (first_panel + panel) * kPanel;
      const int64_t width = std::min(kPanel, weights.outputs() - first_output);
      const std::byte* b = weights.panel(first_panel + panel) + (weights.paired() ? begin / 2 : begin) * kPanel * 4;
      for (int64_t row = 0; row < rows; row += tile_rows) {
        const int64_t height = std::min(tile_rows, rows - row);
        float* target = c + row * c_stride + panel * kPanel;
        const bool partial = width < kPanel;
        float* tile = partial ? edge : target;
        const int64_t tile_stride = partial ? kPanel : c_stride;
        if (partial && add) {
          for (int64_t i = 0; i < height; ++i) std::memcpy(edge + i * kPanel, target + i * c_stride, width * 4);
        }
        const float* inputs = packed + row * items;
        if (weights.paired()) {
          kernels.tile_bf16(height, items, reinterpret_cast<const uint32_t*>(inputs), reinterpret_cast<const uint32_t*>(b), tile,
                            tile_stride, add);
        } else {
          kernels.tile_f32(height, items, inputs, reinterpret_cast<const float*>(b), tile, tile_stride, add);
        }
        if (partial) {
          for (int64_t i = 0; i < height; ++i) std::memcpy(target + i * c_stride, edge + i * kPanel, width * 4);
        }
      }
    }
  }
}

void Matmul(const Job& job, const Kernels& kernels, const float* a, int64_t a_stride, int64_t rows, const PackedMatrix& weights,
            float* c, int64_t c_stride, bool accumulate) {
  const int64_t row_blocks = (rows + kBlockRows - 1) / kBlockRows;
  // Enough tasks for every thread: where rows are few, the outputs are divided too.
  const int64_t wanted = 3 * ThreadPool::Process().threads();
  const int64_t column_blocks =
      std::clamp<int64_t>((wanted + row_blocks - 1) / std::max<int64_t>(1, row_blocks), 1, std::max<int64_t>(1, weights.panels()));
  const int64_t panels = (weights.panels() + column_blocks - 1) / column_blocks;
  job.Parallel(row_blocks * column_blocks, [&](int64_t task) {
    const int64_t row = task / column_blocks * kBlockRows, first = task % column_blocks * panels;
    const int64_t count = std::min(panels, weights.panels() - first);
    if (count <= 0) return;
    MatmulBlock(kernels, a + row * a_stride, a_stride, std::min(kBlockRows, rows - row), weights, first, count,
                c + row * c_stride + first * kPanel, c_stride, accumulate);
  });
}

}  // namespace flab
