// One piece of a row of logits, FLAB_PIECE columns, in the registers of a warp: how it gets there, and the weights of its columns.
#pragma once

#include "backend/backend.h"
#include "cuda/kernel.cuh"

namespace flab::cuda {

constexpr int kOwn = FLAB_PIECE / kWarp;  // columns of a piece that a lane holds
constexpr float kLog2E = 1.442695041f;

// 16 bytes, or as many numbers as they hold.
__device__ __forceinline__ void Unpack(uint4 bytes, const float*, float* values) {
  values[0] = FloatOf(bytes.x), values[1] = FloatOf(bytes.y), values[2] = FloatOf(bytes.z), values[3] = FloatOf(bytes.w);
}

__device__ __forceinline__ float2 Halves(uint32_t pair, const Bf16*) { return {FloatOf(pair << 16), FloatOf(pair & 0xffff0000u)}; }

__device__ __forceinline__ float2 Halves(uint32_t pair, const F16*) {
  return {ToFloat(F16{static_cast<uint16_t>(pair)}), ToFloat(F16{static_cast<uint16_t>(pair >> 16)})};
}

template <typename Half>
__device__ __forceinline__ void Unpack(uint4 bytes, const Half* type, float* values) {
  const uint32_t pairs[4] = {bytes.x, bytes.y, bytes.z, bytes.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 both = Halves(pairs[i], type);
    values[2 * i] = both.x, values[2 * i + 1] = both.y;
  }
}

// The lane's columns of a piece that has `count`, at most FLAB_PIECE; `nothing` for those that it lacks. Lanes take turns at kChunk
// columns that lie together. `aligned`: the piece begins at a multiple of 16 bytes, which are then read together; which columns a
// lane gets, and so every sum, does not depend on it.
template <int kChunk, typename T>
__device__ __forceinline__ void LoadPiece(const T* __restrict__ piece, int64_t count, bool aligned, float nothing, float (&values)[kOwn]) {
  constexpr int kTogether = 16 / sizeof(T);
  static_assert(kChunk % kTogether == 0, "a chunk is read as a whole");
  const int first = static_cast<int>(threadIdx.x) % kWarp * kChunk;
  const T* own = piece + first;
  if (aligned && count >= FLAB_PIECE) {
#pragma unroll
    for (int i = 0; i < kOwn; i += kTogether) Unpack(Load16(own + i / kChunk * kChunk * kWarp + i % kChunk), own, values + i);
  } else {
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
      const int past = i / kChunk * kChunk * kWarp + i % kChunk;
      values[i] = past < count - first ? ToFloat(own[past]) : nothing;
    }
  }
}

// A lane's sum is that of four, so that each adds few numbers (12 roundings at most on the way to the warp's sum) and the additions
// of one need not wait for those of another.
struct LaneSum {
  float parts[4] = {0, 0, 0, 0};
  __device__ __forceinline__ float Total() const { return WarpSum((parts[0] + parts[1]) + (parts[2] + parts[3])); }
};

// Of the weights e^(l - max) of a piece: max l, their sum, and by what this sum and all others of them are to be multiplied.
struct Weights {
  float max, sum, scale;
};

// 2^(l log2(e) - top), top = max log2(e) rounded: one product and sum, rounded once. Less than 2^-126 is zero.
__device__ __forceinline__ float WeightOf(float l, float max) { return Exp2(fmaf(l, kLog2E, -(max * kLog2E))); }

// What the rounding of top moves all weights by, 2^-24 of top, is `scale`. A piece of logits that are all -infinity has weights of zero.
__device__ __forceinline__ Weights Weigh(const float (&l)[kOwn], float (&w)[kOwn]) {
  const float none = FloatOf(0xff800000);  // -infinity
  float max = none;
#pragma unroll
  for (int i = 0; i < kOwn; ++i) max = fmaxf(max, l[i]);
  max = WarpMax(max);
  if (max == none) max = 0;
  LaneSum sum;
#pragma unroll
  for (int i = 0; i < kOwn; ++i) {
    w[i] = WeightOf(l[i], max);
    sum.parts[i % 4] += w[i];
  }
  return {max, sum.Total(), Exp2(-fmaf(max, kLog2E, -(max * kLog2E)))};
}

}  // namespace flab::cuda
