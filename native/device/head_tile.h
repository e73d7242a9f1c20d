#pragma once

#include <cstdint>

#include "backend/backend.h"

namespace flab {

// A tile of logits: whole groups of rows (a position of the reference and of its candidates), and columns of the head.
struct HeadTile {
  int64_t positions, columns;
};

// Bytes of a tile of logits at most: what is written by a product and read by the sums after it should stay in the device's L2 cache,
// beside the factors.
int64_t HeadTileBytes(const FlabDeviceInfo& device);

// The tile by which logits [positions * group, columns] are computed soonest. Its columns are a multiple of FLAB_PIECE, or all.
HeadTile ChooseHeadTile(int64_t positions, int64_t group, int64_t columns, const FlabDeviceInfo& device);

}  // namespace flab
