// Which tiles of logits are multiplied at a time: that they are whole, fit the cache, and leave few processors idle.

#include "device/head_tile.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/testing.h"

namespace flab {
namespace {

FlabDeviceInfo Device(int32_t processors, int64_t cache_megabytes) {
  FlabDeviceInfo device{};
  device.processors = processors;
  device.cache = cache_megabytes << 20;
  return device;
}

const FlabDeviceInfo kA100 = Device(108, 40), kH100 = Device(132, 50), kB200 = Device(148, 126), kTiny = Device(1, 0);

TEST("head tile: it is within the logits and the cache, in whole pieces or all columns") {
  testing::Random random(3);
  for (int i = 0; i < 2000; ++i) {
    const FlabDeviceInfo& device = std::array{kA100, kH100, kB200, kTiny}[random.Below(4)];
    const int64_t positions = 1 + random.Below(i % 2 ? 40 : 4000), group = 1 + random.Below(40), columns = 1 + random.Below(i % 3 ? 9000 : 3000);
    const HeadTile tile = ChooseHeadTile(positions, group, columns, device);
    EXPECT(tile.positions >= 1 && tile.positions <= positions, tile.positions, " of ", positions);
    EXPECT(tile.columns == columns || (tile.columns < columns && tile.columns % FLAB_PIECE == 0), tile.columns, " of ", columns);
    const bool is_least = tile.positions == 1 && tile.columns <= FLAB_PIECE;
    EXPECT(is_least || 4 * tile.positions * group * tile.columns <= HeadTileBytes(device), positions, " ", group, " ", columns);
  }
}

// Share of the processors' time that goes into blocks of 128 x 256 that are needed, without launches.
double Share(int64_t positions, int64_t group, int64_t columns, const FlabDeviceInfo& device) {
  const HeadTile tile = ChooseHeadTile(positions, group, columns, device);
  double waves = 0;
  for (int64_t p = 0; p < positions; p += tile.positions) {
    for (int64_t c = 0; c < columns; c += tile.columns) {
      const int64_t rows = std::min(tile.positions, positions - p) * group, wide = std::min(tile.columns, columns - c);
      waves += static_cast<double>((((rows + 127) / 128) * ((wide + 255) / 256) + device.processors - 1) / device.processors);
    }
  }
  return static_cast<double>(positions * group) / 128 * (static_cast<double>(columns) / 256) / (waves * device.processors);
}

TEST("head tile: processors have work for at least four fifths of the time on the shapes of searches") {
  for (const FlabDeviceInfo& device : {kA100, kH100, kB200}) {
    for (const auto& [positions, group] : {std::pair{2048, 9}, std::pair{512, 9}, std::pair{256, 33}, std::pair{512, 33}, std::pair{4096, 2}}) {
      const double share = Share(positions, group, 8192, device);
      EXPECT(share >= 0.8, positions, " x ", group, " on ", device.processors, ": ", share);
    }
  }
}

}  // namespace
}  // namespace flab
