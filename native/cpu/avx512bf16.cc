// The product of bf16 pairs of AVX-512 and the rounding to bf16; everything else is the AVX-512 implementation's.

#include <immintrin.h>

#include "cpu/kernels.h"

namespace flab::avx512bf16 {
namespace {

template <int kRows>
void Tile(int64_t pairs, const uint32_t* a, const uint32_t* b, float* c, int64_t c_stride, bool accumulate) {
  __m512 sum[kRows][2];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    _mm_prefetch(reinterpret_cast<const char*>(c + i * c_stride), _MM_HINT_ET0);
    _mm_prefetch(reinterpret_cast<const char*>(c + i * c_stride + 16), _MM_HINT_ET0);
    sum[i][0] = accumulate ? _mm512_loadu_ps(c + i * c_stride) : _mm512_setzero_ps();
    sum[i][1] = accumulate ? _mm512_loadu_ps(c + i * c_stride + 16) : _mm512_setzero_ps();
  }
  for (int64_t k = 0; k < pairs; ++k) {
    const __m512bh low = (__m512bh)_mm512_loadu_si512(b + k * kPanel);
    const __m512bh high = (__m512bh)_mm512_loadu_si512(b + k * kPanel + 16);
    // The panel comes from the L2 cache; fetching past its end does no harm.
    _mm_prefetch(reinterpret_cast<const char*>(b + (k + 8) * kPanel), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(b + (k + 8) * kPanel + 16), _MM_HINT_T0);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const __m512bh input = (__m512bh)_mm512_set1_epi32(a[k * kRows + i]);
      sum[i][0] = _mm512_dpbf16_ps(sum[i][0], input, low);
      sum[i][1] = _mm512_dpbf16_ps(sum[i][1], input, high);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    _mm512_storeu_ps(c + i * c_stride, sum[i][0]);
    _mm512_storeu_ps(c + i * c_stride + 16, sum[i][1]);
  }
}

using TileFunction = void (*)(int64_t, const uint32_t*, const uint32_t*, float*, int64_t, bool);
constexpr TileFunction kTiles[] = {Tile<1>, Tile<2>, Tile<3>,  Tile<4>,  Tile<5>,  Tile<6>,  Tile<7>,
                                   Tile<8>, Tile<9>, Tile<10>, Tile<11>, Tile<12>, Tile<13>, Tile<14>};

void TileBF16(int64_t rows, int64_t pairs, const uint32_t* a, const uint32_t* b, float* c, int64_t c_stride, bool accumulate) {
  kTiles[rows - 1](pairs, a, b, c, c_stride, accumulate);
}

// Numbers below 2^-126 become zero, as the product would take them.
void ToBF16(const float* in, int64_t count, uint16_t* out) {
  int64_t i = 0;
  for (; i + 32 <= count; i += 32) {
    const __m512bh rounded = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(in + i + 16), _mm512_loadu_ps(in + i));
    _mm512_storeu_si512(out + i, (__m512i)rounded);
  }
  if (i == count) return;
  const uint32_t rest = (uint32_t{1} << (count - i)) - 1;
  const __m512 low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(rest), in + i);
  const __m512 high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(rest >> 16), in + i + 16);
  _mm512_mask_storeu_epi16(out + i, rest, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

}  // namespace

// Data, not a function that makes the table: code of this file may only run where the processor can.
extern decltype(Kernels::tile_bf16) const kTileBF16;
extern decltype(Kernels::to_bf16) const kToBF16;
decltype(Kernels::tile_bf16) const kTileBF16 = TileBF16;
decltype(Kernels::to_bf16) const kToBF16 = ToBF16;

}  // namespace flab::avx512bf16
