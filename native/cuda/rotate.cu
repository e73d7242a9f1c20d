// Queries, keys and values as attention wants them: bias, RMSNorm of heads of queries and keys, rotation, rounding.
//
// A block has a row, a team of 4 to 32 lanes a head. A lane of a team takes 4 columns of the left half of its head and the 4 that
// they are rotated with, of the right half, so that a head of 64, 128 or 256 keeps every lane busy. 4 bytes are read and 2 or 4 written
// for each number; nothing is kept but the norm's sum, for which a head is read twice, the second time from the L1 cache.

#include "cuda/operations.h"
#include "cuda/vector.cuh"

namespace flab::cuda {
namespace {

constexpr int kThreads = 128;

template <int kCount>
__device__ __forceinline__ Floats<kCount> LoadWithBias(const float* from, const float* bias) {
  Floats<kCount> values = LoadFloats<kCount>(from);
  if (!bias) return values;
  const Floats<kCount> added = LoadFloats<kCount>(bias);
#pragma unroll
  for (int i = 0; i < kCount; ++i) values.at[i] += added.at[i];
  return values;
}

// 1 / sqrt(mean of squares + eps) of a head, the same in every lane of its team. All lanes of the warp take part.
template <int kCount>
__device__ __forceinline__ float NormOf(const float* from, const float* bias, int width, float eps, int place, int team) {
  float squares = 0;
  for (int column = place * kCount; column < width; column += team * kCount) {
    const Floats<kCount> values = LoadWithBias<kCount>(from + column, bias ? bias + column : nullptr);
#pragma unroll
    for (int i = 0; i < kCount; ++i) squares += values.at[i] * values.at[i];
  }
  for (int mask = team / 2; mask > 0; mask /= 2) squares += ShuffleXor(squares, mask);
  return 1 / sqrtf(squares / static_cast<float>(width) + eps);
}

template <int kCount>
__device__ __forceinline__ void Scale(Floats<kCount>& values, float scale, const float* weight) {
  const Floats<kCount> weights = LoadFloats<kCount>(weight);
#pragma unroll
  for (int i = 0; i < kCount; ++i) values.at[i] = values.at[i] * scale * weights.at[i];
}

// Columns of the left half become x cos - y sin, those of the right half y cos + x sin.
template <int kCount>
__device__ __forceinline__ void Turn(Floats<kCount>& x, Floats<kCount>& y, const float* cosine, const float* sine) {
  const Floats<kCount> c = LoadFloats<kCount>(cosine), s = LoadFloats<kCount>(sine);
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    const float left = x.at[i], right = y.at[i];
    x.at[i] = left * c.at[i] - right * s.at[i];
    y.at[i] = right * c.at[i] + left * s.at[i];
  }
}

template <typename Out, int kCount>
__global__ void __launch_bounds__(kThreads) RotateKernel(FlabRotate call, int team) {
  const int width = call.head_width, half = width / 2, rotated = call.query_heads + call.kv_heads, heads = rotated + call.kv_heads;
  const int place = threadIdx.x % team, teams = kThreads / team;
  const int64_t row = blockIdx.x, turn = static_cast<int64_t>(call.positions[blockIdx.x % static_cast<unsigned>(call.period)]) * half;
  for (int first = 0; first < heads; first += teams) {
    const int wanted = first + static_cast<int>(threadIdx.x) / team, head = min(wanted, heads - 1);
    const int64_t start = (row * heads + head) * width;
    const float* from = call.projected + start;
    const float* bias = call.bias ? call.bias + head * width : nullptr;
    const float* weight = head < call.query_heads ? call.query_norm : head < rotated ? call.key_norm : nullptr;
    float scale = 1;
    if (call.query_norm || call.key_norm) scale = NormOf<kCount>(from, bias, width, call.norm_eps, place, team);
    if (wanted >= heads) continue;  // a team without a head has only helped to add
    Out* out = static_cast<Out*>(call.out) + start;
    for (int column = place * kCount; column < half; column += team * kCount) {
      Floats<kCount> x = LoadWithBias<kCount>(from + column, bias ? bias + column : nullptr);
      Floats<kCount> y = LoadWithBias<kCount>(from + half + column, bias ? bias + half + column : nullptr);
      if (weight) {
        Scale(x, scale, weight + column);
        Scale(y, scale, weight + half + column);
      }
      if (head < rotated) Turn(x, y, call.cosines + turn + column, call.sines + turn + column);
      StoreFloats(out + column, x);
      StoreFloats(out + half + column, y);
    }
  }
}

// Lanes of a head: a power of two, of which none is idle if the head's width is one.
int TeamOf(int pieces) {
  int team = 4;
  while (team < kWarp && team < pieces) team *= 2;
  return team;
}

template <typename Out>
int Run(cudaStream_t stream, const FlabRotate& call) {
  const dim3 blocks{static_cast<unsigned>(call.rows)};
  const bool aligned = call.head_width % 8 == 0 && IsAligned(call.projected, 16) && IsAligned(call.bias, 16) && IsAligned(call.query_norm, 16) &&
                       IsAligned(call.key_norm, 16) && IsAligned(call.cosines, 16) && IsAligned(call.sines, 16) && IsAligned(call.out, 4 * sizeof(Out));
  if (aligned) return Launch(stream, "Rotate", RotateKernel<Out, 4>, blocks, kThreads, 0, call, TeamOf(call.head_width / 8));
  return Launch(stream, "Rotate", RotateKernel<Out, 1>, blocks, kThreads, 0, call, TeamOf(call.head_width / 2));
}

}  // namespace

int Rotate(FlabDevice* device, const FlabRotate* call) {
  return call->dtype == FLAB_BF16 ? Run<Bf16>(device->compute, *call) : Run<float>(device->compute, *call);
}

}  // namespace flab::cuda
