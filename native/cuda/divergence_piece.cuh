// The sums of one piece of a KL divergence, by a warp, in the form of FlabPieceSums: three sums, free of cancellation, of the piece's
// own maximum and its own mean of s - l.
//
// Per pair of logits about 26 instructions on pairs of halves, 2 of them exponentials: 2 unpack, 6 give the weight and the mean of
// s - l, 18 the sums. Pairs of f32 take 6 more for the digits of s - l, and have twice the time to be read.
#pragma once

#include "cuda/piece.cuh"

namespace flab::cuda {

// What columns that the piece lacks hold: a weight of zero, and a difference far below any, which its e^d - 1 - d bears.
constexpr float kNoReference = -1e30f, kNoCandidate = -1.5e30f;

// Where e^d is no number of f32's, the guess moves up until the largest d is this.
constexpr float kMostDeviation = 60;
constexpr float kLeastWeight = 1.17549435e-38f, kMost = 3.40282347e38f;  // the smallest normal number, and the largest
// A guess is good while at most this share of G comes from its distance from the mean, mean^2 / 2: this is taken off again later.
constexpr float kShareOfGuess = 0.125f;

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

template <bool kExact>
__device__ __forceinline__ float LargestDifference(const float (&l)[kOwn], const float (&s)[kOwn]) {
  float largest = kNoCandidate;
#pragma unroll
  for (int i = 0; i < kOwn; ++i) largest = fmaxf(largest, Again<kExact>(s[i]) - l[i]);
  return WarpMax(largest);
}

// The same in every lane. NaN and infinities among the logits make the sums NaN.
template <bool kExact>
__device__ __forceinline__ FlabPieceSums SumPiece(const float (&l)[kOwn], const float (&s)[kOwn], const float (&w)[kOwn], const Weights& weights) {
  LaneSum x_sum;
#pragma unroll
  for (int i = 0; i < kOwn; ++i) x_sum.parts[i % 4] += w[i] * (s[i] - l[i]);
  float guess = x_sum.Total() / weights.sum;
  Deviations sums = SumDeviations<kExact>(l, s, [&](int i) { return w[i]; }, guess);
  // All lanes decide alike.
  bool far = false;
  for (int attempt = 0; attempt < 2 && !far; ++attempt) {
    far = !(sums.g <= kMost);
    if (far) {
      guess = LargestDifference<kExact>(l, s) - kMostDeviation;
    } else if (sums.d * sums.d > 2 * kShareOfGuess * sums.g * weights.sum) {
      guess += sums.d / weights.sum;  // f32 did not find the mean of large differences well enough
    } else {
      break;
    }
    // Weights that are next to nothing must not become none where they decide.
    const float least = far ? kLeastWeight : 0;
    sums = SumDeviations<kExact>(l, s, [&](int i) { return fmaxf(w[i], least); }, guess);
  }
  return {weights.max, guess, weights.sum * weights.scale, sums.d * weights.scale, sums.g * weights.scale, far};
}

}  // namespace flab::cuda
