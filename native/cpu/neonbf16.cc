// The product of bf16 matrices of Armv8.6 and the rounding to bf16; everything else is the NEON implementation's.

#include <arm_neon.h>

#include "cpu/kernels.h"

namespace flab::neonbf16 {
namespace {

constexpr int kColumns = 16;  // outputs a pass: with 6 rows, 24 registers of sums

// Items of rows (or outputs) first and first + 1 at two steps of depth, as BFMMLA takes them: both steps of one, then of the other.
inline bfloat16x8_t Zip(uint32x4_t items, uint32x4_t next) { return vreinterpretq_bf16_u32(vzip1q_u32(items, next)); }
inline bfloat16x8_t ZipHigh(uint32x4_t items, uint32x4_t next) { return vreinterpretq_bf16_u32(vzip2q_u32(items, next)); }

// The inputs of kRows rows at two steps of depth, a pair of rows each; a row that is missing is zero.
template <int kRows>
struct Inputs {
  bfloat16x8_t pairs[(kRows + 1) / 2];

  Inputs(const uint32_t* items, const uint32_t* next) {
    if constexpr (kRows >= 4) {
      const uint32x4_t first = vld1q_u32(items), first_next = vld1q_u32(next);
      pairs[0] = Zip(first, first_next);
      pairs[1] = ZipHigh(first, first_next);
      if constexpr (kRows == 6) pairs[2] = ZipHigh(vld1q_u32(items + 2), vld1q_u32(next + 2));
      if constexpr (kRows == 5) pairs[2] = Single(items[4], next[4]);
    } else {
      if constexpr (kRows >= 2) pairs[0] = vreinterpretq_bf16_u32(uint32x4_t{items[0], next[0], items[1], next[1]});
      if constexpr (kRows % 2) pairs[kRows / 2] = Single(items[kRows - 1], next[kRows - 1]);
    }
  }

  static bfloat16x8_t Single(uint32_t item, uint32_t next) { return vreinterpretq_bf16_u32(uint32x4_t{item, next, 0, 0}); }
};

// Two rows of four sums are two blocks of 2 x 2, as BFMMLA leaves them.
struct Blocks {
  float32x4_t low, high;
};

inline Blocks Swap(float32x4_t low, float32x4_t high) {
  const float64x2_t a = vreinterpretq_f64_f32(low), b = vreinterpretq_f64_f32(high);
  return {vreinterpretq_f32_f64(vzip1q_f64(a, b)), vreinterpretq_f32_f64(vzip2q_f64(a, b))};
}

// BFMMLA adds the products of one pair, then those of the next, each to the sum so far: the order of depth.
template <int kRows>
void TileColumns(int64_t pairs, const uint32_t* a, const uint32_t* b, float* c, int64_t c_stride, bool accumulate) {
  constexpr int kRowPairs = (kRows + 1) / 2;
  float32x4_t sum[kRowPairs][kColumns / 2];
  const float32x4_t zero = vdupq_n_f32(0);
#pragma GCC unroll 4
  for (int i = 0; i < kRowPairs; ++i) {
    const float* top = c + 2 * i * c_stride;
    const bool has_bottom = 2 * i + 1 < kRows;
#pragma GCC unroll 8
    for (int j = 0; j < kColumns; j += 4) {
      const Blocks blocks = accumulate ? Swap(vld1q_f32(top + j), has_bottom ? vld1q_f32(top + c_stride + j) : zero) : Blocks{zero, zero};
      sum[i][j / 2] = blocks.low, sum[i][j / 2 + 1] = blocks.high;
    }
  }
  const auto step = [&](const Inputs<kRows>& inputs, const uint32_t* weights, const uint32_t* next, bool has_next) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int j = 0; j < kColumns; j += 4) {
      const uint32x4_t items = vld1q_u32(weights + j), next_items = has_next ? vld1q_u32(next + j) : vdupq_n_u32(0);
      const bfloat16x8_t low = Zip(items, next_items), high = ZipHigh(items, next_items);
#pragma GCC unroll 4
      for (int i = 0; i < kRowPairs; ++i) {
        sum[i][j / 2] = vbfmmlaq_f32(sum[i][j / 2], inputs.pairs[i], low);
        sum[i][j / 2 + 1] = vbfmmlaq_f32(sum[i][j / 2 + 1], inputs.pairs[i], high);
      }
    }
  };
  int64_t k = 0;
  for (; k + 2 <= pairs; k += 2) {
    const uint32_t* weights = b + k * kPanel;
    // The panel comes from the L2 cache; fetching past its end does no harm.
    __builtin_prefetch(weights + 8 * kPanel);
    __builtin_prefetch(weights + 9 * kPanel);
    step(Inputs<kRows>(a + k * kRows, a + (k + 1) * kRows), weights, weights + kPanel, true);
  }
  if (k < pairs) {
    constexpr uint32_t kZeros[kRows] = {};
    step(Inputs<kRows>(a + k * kRows, kZeros), b + k * kPanel, nullptr, false);
  }
#pragma GCC unroll 4
  for (int i = 0; i < kRowPairs; ++i) {
    float* top = c + 2 * i * c_stride;
#pragma GCC unroll 8
    for (int j = 0; j < kColumns; j += 4) {
      const Blocks rows = Swap(sum[i][j / 2], sum[i][j / 2 + 1]);
      vst1q_f32(top + j, rows.low);
      if (2 * i + 1 < kRows) vst1q_f32(top + c_stride + j, rows.high);
    }
  }
}

template <int kRows>
void Tile(int64_t pairs, const uint32_t* a, const uint32_t* b, float* c, int64_t c_stride, bool accumulate) {
  for (int64_t j = 0; j < kPanel; j += kColumns) TileColumns<kRows>(pairs, a, b + j, c + j, c_stride, accumulate);
}

using TileFunction = void (*)(int64_t, const uint32_t*, const uint32_t*, float*, int64_t, bool);
constexpr TileFunction kTiles[] = {Tile<1>, Tile<2>, Tile<3>, Tile<4>, Tile<5>, Tile<6>};

void TileBF16(int64_t rows, int64_t pairs, const uint32_t* a, const uint32_t* b, float* c, int64_t c_stride, bool accumulate) {
  kTiles[rows - 1](pairs, a, b, c, c_stride, accumulate);
}

void ToBF16(const float* in, int64_t count, uint16_t* out) {
  const auto round = [](float32x4_t low, float32x4_t high) __attribute__((always_inline)) {
    return vreinterpretq_u16_bf16(vcvtq_high_bf16_f32(vcvtq_low_bf16_f32(low), high));
  };
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) vst1q_u16(out + i, round(vld1q_f32(in + i), vld1q_f32(in + i + 4)));
  if (i == count) return;
  float rest[8] = {};
  __builtin_memcpy(rest, in + i, (count - i) * 4);
  const uint16x8_t rounded = round(vld1q_f32(rest), vld1q_f32(rest + 4));
  __builtin_memcpy(out + i, &rounded, (count - i) * 2);
}

}  // namespace

// Data, not a function that makes the table: code of this file may only run where the processor can.
extern decltype(Kernels::tile_bf16) const kTileBF16;
extern decltype(Kernels::to_bf16) const kToBF16;
decltype(Kernels::tile_bf16) const kTileBF16 = TileBF16;
decltype(Kernels::to_bf16) const kToBF16 = ToBF16;

}  // namespace flab::neonbf16
