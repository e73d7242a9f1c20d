// Tiles [kTile, kWidth] of queries, keys or values in shared memory: copied there by a block, read by warps as factors.
//
// Rows are pieces of 8 columns, 16 bytes. Pieces change places within groups of kTurns, so that those of the same columns of 8
// neighbouring rows, which ldmatrix reads at a time, are in 8 different groups of 4 banks.
#pragma once

#include "cuda/tensor_core.cuh"

namespace flab::cuda {

constexpr int kTile = 64, kTileThreads = 128;

template <int kWidth>
constexpr int kTurns = kWidth % 64 == 0 ? 8 : 4;

template <int kWidth>
__device__ __forceinline__ int TurnOf(int row) {
  return kTurns<kWidth> == 8 ? row % 8 : row / 2 % 4;
}

// Where the left (0) or right (1) half of columns [16 * step, 16 * step + 16) of a row is. What depends on the lane is apart from
// what depends on the step.
template <int kWidth>
__device__ __forceinline__ int PlaceOf(int row, int step, int half) {
  constexpr int turns = kTurns<kWidth>;
  return row * kWidth + 2 * step / turns * turns * 8 + (2 * step % turns ^ (half ^ TurnOf<kWidth>(row))) * 8;
}

// Starts to copy rows [first, first + kTile) of a head; rows from `end` and columns from `width` on become zeros.
template <int kWidth>
__device__ __forceinline__ void CopyTile(Bf16* __restrict__ tile,        // [kTile, kWidth]
                                         const Bf16* __restrict__ rows,  // [end, stride]
                                         int stride, int first, int end, int width) {
  constexpr int kLanes = kTurns<kWidth>, kRows = kTileThreads / kLanes;  // a thread has pieces of every 16th (or 32nd) row
  const int row = threadIdx.x / kLanes, piece = threadIdx.x % kLanes;
  const Bf16* from = rows + static_cast<int64_t>(first + row) * stride + piece * 8;
  Bf16* to = tile + row * kWidth + (piece ^ TurnOf<kWidth>(row)) * 8;
#pragma unroll
  for (int i = 0; i < kTile / kRows; ++i) {
#pragma unroll
    for (int j = 0; j < kWidth / 8 / kLanes; ++j) {
      const bool valid = first + row + i * kRows < end && (piece + j * kLanes) * 8 < width;
      CopyAsync(to + i * kRows * kWidth + j * kLanes * 8, from + j * kLanes * 8, valid);
    }
    from += kRows * stride;
  }
}

// The same for heads that don't begin at multiples of 16 bytes.
template <int kWidth>
__device__ __forceinline__ void CopyElements(Bf16* __restrict__ tile, const Bf16* __restrict__ rows, int stride, int first, int end, int width) {
#pragma unroll 1
  for (int index = threadIdx.x; index < kTile * kWidth; index += kTileThreads) {
    const int row = index / kWidth, column = index % kWidth;
    const bool valid = first + row < end && column < width;
    tile[PlaceOf<kWidth>(row, column / 16, column / 8 % 2) + column % 8] = valid ? rows[static_cast<int64_t>(first + row) * stride + column] : Bf16{0};
  }
}

}  // namespace flab::cuda
