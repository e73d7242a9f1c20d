// How rows of units are laid out over blocks, for what takes each unit once: copies, conversions, sums with a row.
//
// Neighbouring lanes take neighbouring units, of 16 bytes where they are aligned. A thread takes four and loads all of them before it
// stores any: with 2,048 threads to a processor 128 kB are under way, where 3.3 TB/s for a microsecond over 132 processors (H100) are 25.
// A block takes several short rows, or a piece of a long one; in any case a thread finds its row by one division and no loop.
#pragma once

#include "cuda/launch.cuh"

namespace flab::cuda {

constexpr int kRowThreads = 256, kRowUnits = 4;

struct RowLayout {
  int64_t rows, units;  // units of a row
  uint32_t pieces;      // of a row
  uint32_t lane_bits;   // 2^ as many threads take a piece

  dim3 blocks() const { return dim3{static_cast<unsigned>(CeilDivide(rows, kRowThreads >> lane_bits) * pieces)}; }
};

// Whole warps take a row where it has as many units, and four units a thread where it has more.
inline RowLayout LayOutRows(int64_t rows, int64_t units) {
  RowLayout layout{rows, units, static_cast<uint32_t>(CeilDivide(units, kRowThreads * kRowUnits)), 0};
  const auto lanes = [&] { return 1 << layout.lane_bits; };
  while (lanes() < kRowThreads && lanes() < units && (lanes() < kWarp || lanes() * kRowUnits < units)) ++layout.lane_bits;
  return layout;
}

// What a thread takes: units unit(0), ... of row(), those that has() says are there.
class RowShare {
 public:
  __device__ __forceinline__ explicit RowShare(const RowLayout& layout) : step_(1u << layout.lane_bits) {
    const uint32_t group = blockIdx.x / layout.pieces, piece = blockIdx.x % layout.pieces;
    row_ = (static_cast<int64_t>(group) * kRowThreads + threadIdx.x) >> layout.lane_bits;
    first_ = static_cast<int64_t>(piece) * (kRowThreads * kRowUnits) + (threadIdx.x & (step_ - 1));
    left_ = row_ < layout.rows ? layout.units - first_ : 0;
  }
  __device__ __forceinline__ int64_t row() const { return row_; }
  __device__ __forceinline__ bool has(uint32_t k) const { return static_cast<int64_t>(k) * step_ < left_; }
  __device__ __forceinline__ int64_t unit(uint32_t k) const { return first_ + static_cast<int64_t>(k) * step_; }

 private:
  uint32_t step_;
  int64_t row_, first_, left_;
};

}  // namespace flab::cuda
