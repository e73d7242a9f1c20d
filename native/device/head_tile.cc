#include "device/head_tile.h"

#include <algorithm>

namespace flab {
namespace {

constexpr int64_t kLeastBytes = int64_t{256} << 10, kMostBytes = int64_t{32} << 20;
// Outputs that a processor computes at a time, by our kernels and by those of cuBLASLt.
constexpr int64_t kBlockRows = 128, kBlockColumns = 256;
// What a launch of a product and of the sums takes, in times that such a block takes: about 10 us and 50 us with 4,096 of depth on an H100.
constexpr double kLaunch = 0.25;

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Processors take a block each until there are no more.
double TimeOf(int64_t rows, int64_t columns, int64_t processors) {
  if (rows == 0 || columns == 0) return 0;
  return kLaunch + static_cast<double>(CeilDivide(CeilDivide(rows, kBlockRows) * CeilDivide(columns, kBlockColumns), processors));
}

// Of all logits in tiles of this size, the last ones as large as what is left.
double TimeOf(const HeadTile& tile, int64_t positions, int64_t group, int64_t columns, int64_t processors) {
  const int64_t high = positions / tile.positions, wide = columns / tile.columns;
  const auto row_of_tiles = [&](int64_t rows) {
    return static_cast<double>(wide) * TimeOf(rows, tile.columns, processors) + TimeOf(rows, columns % tile.columns, processors);
  };
  return static_cast<double>(high) * row_of_tiles(tile.positions * group) + row_of_tiles(positions % tile.positions * group);
}

}  // namespace

int64_t HeadTileBytes(const FlabDeviceInfo& device) { return std::clamp(device.cache / 3, kLeastBytes, kMostBytes); }

HeadTile ChooseHeadTile(int64_t positions, int64_t group, int64_t columns, const FlabDeviceInfo& device) {
  const int64_t processors = std::max(1, device.processors);
  HeadTile best{1, std::min<int64_t>(columns, FLAB_PIECE)};
  double least = TimeOf(best, positions, group, columns, processors);
  const auto consider = [&](const HeadTile& tile) {
    const double time = TimeOf(tile, positions, group, columns, processors);
    if (time < least) {
      least = time;
      best = tile;
    }
  };
  for (int64_t wide = std::min<int64_t>(columns, FLAB_PIECE);; wide = std::min<int64_t>(columns, wide + FLAB_PIECE)) {
    const int64_t most = std::min(positions, HeadTileBytes(device) / (4 * wide * group));
    // Rows that fill blocks, as far as whole groups can, and as many as there may be.
    for (int64_t rows = kBlockRows; rows < most * group; rows += kBlockRows) consider({std::max<int64_t>(1, rows / group), wide});
    if (most > 0) consider({most, wide});
    if (wide == columns) return best;
  }
}

}  // namespace flab
