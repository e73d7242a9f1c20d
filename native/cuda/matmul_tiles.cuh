// How a product's output is cut into tiles, a block each: in which order, and how large.
#pragma once

#include "backend/backend.h"
#include "cuda/kernel.cuh"

namespace flab::cuda {

struct TilePlace {
  int64_t row, column;  // in tiles
};

// Blocks of near numbers run at the same time, and what they read together should be little: they fill groups of kGroup rows of tiles
// column by column. On 132 processors with tiles of 128 x 256 that is a piece of 1,024 x 4,224 outputs, which reads each factor from
// the L2 cache 8 or 16 times and from memory once; row by row, it would read a row of tiles and all of the weights.
constexpr int64_t kGroup = 8;

__host__ __device__ constexpr TilePlace PlaceOf(int64_t block, int64_t row_tiles, int64_t column_tiles) {
  const int64_t group = block / (kGroup * column_tiles), within = block % (kGroup * column_tiles);
  const int64_t left = row_tiles - group * kGroup, height = left < kGroup ? left : kGroup;
  return {group * kGroup + within % height, within / height};
}

static_assert(PlaceOf(9, 20, 3).row == 1 && PlaceOf(9, 20, 3).column == 1);
static_assert(PlaceOf(8 * 3, 9, 3).row == 8 && PlaceOf(8 * 3 + 2, 9, 3).column == 2, "the last group is lower than the others");
static_assert(PlaceOf(0x7fffffff, int64_t{1} << 28, 8).row == (1 << 28) - 1 && PlaceOf(0x7fffffff, int64_t{1} << 28, 8).column == 7);

inline int64_t TilesOf(const FlabMatmul& call, int rows, int columns) { return CeilDivide(call.rows, rows) * CeilDivide(call.columns, columns); }

// How long a product takes in tiles of this size, in units of no meaning: the device's processors take a tile each until there are no
// more. `speed` is how fast a tile's outputs come, against other tiles.
inline double TimeOf(const FlabMatmul& call, int rows, int columns, double speed, int processors) {
  return static_cast<double>(CeilDivide(TilesOf(call, rows, columns), processors)) * rows * columns / speed;
}

}  // namespace flab::cuda
