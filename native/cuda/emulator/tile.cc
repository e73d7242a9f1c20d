// The product of a tile, for a whole warp at once: what the PTX manual says of mma.sync.m16n8k16 with bf16 factors.

#include <cmath>

#include "base/dtype.h"
#include "cuda/emulator/block.h"

namespace flab::emulator {
namespace {

struct Lane {
  float c[4];
  uint32_t a[4], b[2];
};

void Unpack(uint32_t word, float& low, float& high) {
  low = FromBF16(static_cast<uint16_t>(word));
  high = FromBF16(static_cast<uint16_t>(word >> 16));
}

// The manual leaves open in which order a tile's products are added and how their sum is rounded; here what f32 does not hold is cut off, the
// worst that a device may do.
float TowardsZero(double sum) {
  const float nearest = static_cast<float>(sum);
  return std::fabs(static_cast<double>(nearest)) > std::fabs(sum) ? std::nextafter(nearest, 0.0f) : nearest;
}

// A lane's place in the tile: see cuda/tensor_core.cuh.
template <typename Do>
void ForLanes(Do place) {
  for (int lane = 0; lane < 32; ++lane) place(lane, lane / 4, lane % 4 * 2);
}

void MultiplyLanes(void* given) {
  Lane* lanes = static_cast<Lane*>(given);
  float a[16][16], b[16][8], c[16][8];
  ForLanes([&](int lane, int group, int pair) {
    for (int i = 0; i < 4; ++i) {
      Unpack(lanes[lane].a[i], a[group + i % 2 * 8][pair + i / 2 * 8], a[group + i % 2 * 8][pair + i / 2 * 8 + 1]);
      c[group + i / 2 * 8][pair + i % 2] = lanes[lane].c[i];
    }
    for (int i = 0; i < 2; ++i) Unpack(lanes[lane].b[i], b[pair + i * 8][group], b[pair + i * 8 + 1][group]);
  });
  for (int row = 0; row < 16; ++row) {
    for (int column = 0; column < 8; ++column) {
      double sum = c[row][column];
      for (int k = 0; k < 16; ++k) sum += static_cast<double>(a[row][k]) * b[k][column];
      c[row][column] = TowardsZero(sum);
    }
  }
  ForLanes([&](int lane, int group, int pair) {
    for (int i = 0; i < 4; ++i) lanes[lane].c[i] = c[group + i / 2 * 8][pair + i % 2];
  });
}

}  // namespace

void MultiplyTile(float* c, const uint32_t* a, const uint32_t* b) {
  const Lane own{{c[0], c[1], c[2], c[3]}, {a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  const Lane* lanes = static_cast<const Lane*>(Exchange("mma", &own, sizeof own, MultiplyLanes));
  std::memcpy(c, lanes[ThisThread().thread.x % 32].c, sizeof own.c);
}

}  // namespace flab::emulator
