// The sums of one piece of a KL divergence, by a warp, in the form of FlabPieceSums: three sums, free of cancellation, of the piece's
// own maximum and its own mean of s - l.
//
// A pair of halves takes 26 instructions, 2 of them exponentials: 2 widen it, 6 give the weight and the mean of s - l, 18 the sums. With
// loads, addresses and exchanges it is 30. At 1.7 GHz an H100 issues those for 0.96e12 pairs a second, and its memory brings 0.84e12 pairs
// of bf16. A pair of f32 takes 35, 6 of them for the digits of s - l, and is as long on its way as two of halves.
#pragma once

#include "cuda/piece.cuh"

namespace flab::cuda {

// What columns that the piece lacks hold: a weight of zero, and a difference far below any, which its e^d - 1 - d bears.
constexpr float kNoReference = -1e30f, kNoCandidate = -1.5e30f;

constexpr float kLeastWeight = 1.17549435e-38f, kMost = 3.40282347e38f;  // the smallest normal number, e^-87.3, and the largest
// What is e^17 times less than another number is less than its last digit.
constexpr float kDigits = 17;

// e^d - 1 - d. Near zero, d^2 times a polynomial (minimax on [-1, 1], to 1.7e-7); elsewhere the exponential loses 2 bits at most.
__device__ __forceinline__ float ExcessOf(float d) {
  float series = 2.49608147e-5f;
  series = series * d + 2.03254836e-4f;
  series = series * d + 1.38913351e-3f;
  series = series * d + 8.33093002e-3f;
  series = series * d + 4.16665152e-2f;
  series = series * d + 1.66666955e-1f;
  series = series * d + 0.5f;
  const float direct = (Exp2(d * kLog2E) - 1) - d;
  return fabsf(d) < 1 ? d * d * series : direct;
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

struct Deviations {
  float d, g;  // sums of w d and of w (e^d - 1 - d)
};

template <bool kExact, typename Weight>
__device__ __forceinline__ Deviations SumDeviations(const float (&l)[kOwn], const float (&s)[kOwn], const Weight& weight, float guess) {
  LaneSum d_sum, g_sum;
#pragma unroll
  for (int i = 0; i < kOwn; ++i) {
    const float d = Deviation<kExact>(l[i], Again<kExact>(s[i]), guess);
    d_sum.parts[i % 4] += weight(i) * d;
    g_sum.parts[i % 4] += weight(i) * ExcessOf(d);
  }
  return {d_sum.Total(), g_sum.Total()};
}

// Logarithms of the largest w e^(s - l), and of the largest whose weight f32 does not hold and is taken for kLeastWeight.
struct Reach {
  float all, clamped;
};

template <bool kExact>
__device__ __forceinline__ Reach ReachOf(const float (&l)[kOwn], const float (&s)[kOwn], const float (&w)[kOwn]) {
  Reach reach{kNoCandidate, kNoCandidate};
#pragma unroll
  for (int i = 0; i < kOwn; ++i) {
    const float weight = Anew(w[i]), own = Again<kExact>(s[i]) - l[i] + Log2(fmaxf(weight, kLeastWeight)) / kLog2E;
    reach.all = fmaxf(reach.all, own);
    if (weight < kLeastWeight) reach.clamped = fmaxf(reach.clamped, own);
  }
  return {WarpMax(reach.all), WarpMax(reach.clamped)};
}

// The same in every lane. NaN and infinities among the logits make the sums NaN, or infinite so that they become NaN.
template <bool kExact>
__device__ __forceinline__ FlabPieceSums SumPiece(const float (&l)[kOwn], const float (&s)[kOwn], const float (&w)[kOwn], const Weights& weights) {
  LaneSum x_sum;
#pragma unroll
  for (int i = 0; i < kOwn; ++i) x_sum.parts[i % 4] += w[i] * (s[i] - l[i]);
  float guess = x_sum.Total() / weights.sum;
  Deviations sums = SumDeviations<kExact>(l, s, [&](int i) { return w[i]; }, guess);
  bool far = false;
  if (!(sums.g <= kMost)) {  // in all lanes or in none
    // Some e^d is no number of f32's. With this guess w e^d is 1 at most, and so e^d at most 1 / kLeastWeight.
    const Reach reach = ReachOf<kExact>(l, s, w);
    guess = reach.all;
    far = reach.clamped > reach.all - kDigits;
    sums = SumDeviations<kExact>(l, s, [&](int i) { return fmaxf(Anew(w[i]), kLeastWeight); }, guess);
  }
  return {weights.max, guess, weights.sum * weights.scale, sums.d * weights.scale, sums.g * weights.scale, far};
}

}  // namespace flab::cuda
