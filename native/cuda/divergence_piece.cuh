// The sums of one piece of a KL divergence, by a warp, in the form of FlabPieceSums: three sums, free of cancellation, of the piece's
// own maximum and its own mean of s - l.
//
// A pair of halves takes 26 instructions, 2 of them exponentials: 2 widen it, 6 give the weight and the mean of s - l, 18 the sums. With
// loads, addresses and exchanges it is 30. At 1.7 GHz an H100 issues those for 0.96e12 pairs a second, and its memory brings 0.84e12 pairs
// of bf16. A pair of f32 takes 35, 6 of them for the digits of s - l, and is as long on its way as two of halves.
#pragma once

#include "cuda/piece.cuh"

namespace flab::cuda {

// What columns that the piece lacks hold: a weight of zero, and a difference far below any, which is finite when it is raised.
constexpr float kNoReference = -1e25f, kNoCandidate = -1.00001e25f;

// A weight w below 2^-126 is zero, and loses w e^d whatever e^d is. So what is summed is 2^60 times e^d - 1 - d, which ends the numbers
// of f32 at e^d = 2^68 (d = 47.1) at no cost. What is lost while all e^d are less is 2^-58 for a column at most, where the weights' sum is 1
// or more. Where one is not less, the sum is infinite, or NaN where its weight is zero, and SumFarPiece sums anew. By d and the
// distance of l from its maximum:
//
//   d < 47.1, l to 87.3 below     w is a number, and so is w e^d: SumPiece
//   d < 47.1, l further below     w e^d is e^-40.2 at most: SumPiece, and it is lost
//   d > 47.1, any l               SumFarPiece, for which w e^d is one power of e; so too where some d is below -3e20
constexpr float kRaise = 0x1p60f, kMost = 3.40282347e38f;  // the largest number

// Times d^2 it is e^d - 1 - d, near zero (minimax on [-1, 1], to 1.7e-7). `raise` is a power of two, and costs no digits.
__device__ __forceinline__ float SeriesOf(float d, float raise) {
  float series = 2.49608147e-5f * raise;
  series = series * d + 2.03254836e-4f * raise;
  series = series * d + 1.38913351e-3f * raise;
  series = series * d + 8.33093002e-3f * raise;
  series = series * d + 4.16665152e-2f * raise;
  series = series * d + 1.66666955e-1f * raise;
  return series * d + 0.5f * raise;
}

// kRaise (e^d - 1 - d). Where d is not near zero, the exponential loses 2 bits at most.
__device__ __forceinline__ float RaisedExcessOf(float d) {
  const float direct = fmaf(-kRaise, d, fmaf(kRaise, Exp2(d * kLog2E), -kRaise));
  return Select(fabsf(d) < 1, d * d * SeriesOf(d, kRaise), direct);
}

// (s - l) - guess. Of halves, s - l is exact but for what is nothing; of f32, what its rounding lost comes back (Knuth's two-sum), so
// that an offset common to all of s costs no digits.
template <bool kExact>
__device__ __forceinline__ float Deviation(float l, float s, float guess) {
  const float x = s - l, d = x - guess;
  if (kExact) return d;
  const float s_back = x + l, l_back = s_back - x;
  return d + ((s - s_back) - (l - l_back));
}

// Of halves, differences take the place of l and s in registers. Of f32 both stay, for their digits, and differences are computed
// again each time, or they would take as many.
template <bool kExact>
__device__ __forceinline__ float Again(float s) {
  return kExact ? s : Anew(s);
}

// The same in every lane. NaN and infinities among the logits make the sums NaN, or infinite so that they become NaN.
template <bool kExact>
__device__ __forceinline__ FlabPieceSums SumPiece(const float (&l)[kOwn], const float (&s)[kOwn], const float (&w)[kOwn], const Weights& weights) {
  LaneSum x_sum, d_sum, g_sum;
#pragma unroll
  for (int i = 0; i < kOwn; ++i) x_sum.parts[i % 4] += w[i] * (s[i] - l[i]);
  const float guess = x_sum.Total() / weights.sum;
#pragma unroll
  for (int i = 0; i < kOwn; ++i) {
    const float d = Deviation<kExact>(l[i], Again<kExact>(s[i]), guess);
    d_sum.parts[i % 4] += w[i] * d;
    g_sum.parts[i % 4] += w[i] * RaisedExcessOf(d);
  }
  return {weights.max, guess, weights.sum * weights.scale, d_sum.Total() * weights.scale, g_sum.Total() * (weights.scale / kRaise)};
}

// Whether they are such that SumPiece could sum them; the same for all lanes.
__device__ __forceinline__ bool AreSummed(const FlabPieceSums& sums) { return sums.g <= kMost; }

// The sums where some e^d is too large for SumPiece: by the guess max s - max l, w e^d is e^(s - max s), 1 at most, and needs neither w nor
// e^d. `lost` is what rounding the guess took from it. This is rare: l and s come from memory again, so that it takes no registers.
template <bool kExact, typename P, typename Q>
__device__ __forceinline__ FlabPieceSums SumFarPiece(const P* l, const Q* s, int64_t count, const Weights& weights) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, columns = count < FLAB_PIECE ? static_cast<int>(count) : FLAB_PIECE;
  float max = FloatOf(0xff800000);  // -infinity
#pragma unroll 1
  for (int column = lane; column < columns; column += kWarp) max = fmaxf(max, ToFloat(s[column]));
  max = WarpMax(max);
  const float guess = max - weights.max, lost = Deviation<false>(weights.max, max, guess);
  LaneSum d_sum, g_sum;
#pragma unroll 1
  for (int first = lane; first < columns; first += 4 * kWarp) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int column = first + i * kWarp;
      if (column >= columns) continue;
      const float own = ToFloat(s[column]), reference = ToFloat(l[column]);
      const float w = WeightOf(reference, weights.max) * weights.scale, d = Deviation<kExact>(reference, own, guess);
      d_sum.parts[i] += w * d;
      g_sum.parts[i] += fabsf(d) < 1 ? w * (d * d * SeriesOf(d, 1)) : Exp2(((own - max) + lost) * kLog2E) - w * (1 + d);
    }
  }
  return {weights.max, guess, weights.sum * weights.scale, d_sum.Total(), g_sum.Total()};
}

}  // namespace flab::cuda
