// Causal attention over packed texts in bf16, on tensor cores: no matrix of scores in memory.
//
// A block has 64 queries of one head, 16 for each of 4 warps. Tiles of 64 keys and of their 64 values come through two buffers of
// shared memory: while scores are computed the values arrive, and while values are mixed the next keys do. A query's softmax goes
// on from tile to tile: scores are taken as powers of two from the largest so far (`shift`), and when that rises, what was summed
// is scaled down. Scores, sums and results stay in registers, where the result of one product is the factor of the next.
//
// Each tile of keys and values is 2 * 64 * 64 * E * 2 flops for 256 E bytes from the L2 cache: 64 flops a byte. Heads of 128 keep
// 32 registers of queries, 64 of results and 32 of scores: 3 blocks a multiprocessor, with 32 kB of shared memory each. Wider heads
// read their queries from shared memory each time.

#include "cuda/attention.cuh"
#include "cuda/attention_tile.cuh"
#include "cuda/operations.h"

namespace flab::cuda {
namespace {

constexpr int kWarpQueries = 16, kThreads = kTileThreads;
static_assert(kTileThreads / kWarp * kWarpQueries == FLAB_QUERY_TILE && kTile == FLAB_QUERY_TILE);

template <int kWidth>
constexpr bool kKeepsQueries = kWidth <= 128;

template <int kWidth>
constexpr int kBuffers = kKeepsQueries<kWidth> ? 2 : 3;  // of [kTile, kWidth]; the third holds queries

// What a warp's queries have seen so far. Of two of them each lane has some columns: rows group and group + 8 of the warp's tile.
template <int kWidth>
struct Seen {
  float mixed[kWidth / 8][4] = {};      // sums of 2^(score - shift) * value
  float shift[2] = {kLowest, kLowest};  // the largest score so far, in units of log 2
  float total[2] = {};                  // sums of 2^(score - shift), of this lane's keys
};

using Scores = float[kTile / 8][4];

// A warp's queries as factors, 16 columns a step: in registers, or in shared memory [kTile, kWidth].
template <int kWidth>
struct Queries {
  const Bf16* tile;
  uint32_t kept[kKeepsQueries<kWidth> ? kWidth / 16 : 1][4];

  __device__ __forceinline__ void Load(uint32_t (&factors)[4], int step) const {
    const int lane = threadIdx.x % kWarp, first = threadIdx.x / kWarp * kWarpQueries;
    LoadTiles(factors, tile + first * kWidth + PlaceOf<kWidth>(lane % 16, step, lane / 16));
  }
  __device__ __forceinline__ void Keep() {
#pragma unroll
    for (int step = 0; step < kWidth / 16; ++step) Load(kept[step], step);
  }
  __device__ __forceinline__ void Get(uint32_t (&factors)[4], int step) const {
    if constexpr (kKeepsQueries<kWidth>) {
#pragma unroll
      for (int i = 0; i < 4; ++i) factors[i] = kept[step][i];
    } else {
      Load(factors, step);
    }
  }
};

// scores [16, kTile] = queries * keys^T.
template <int kWidth>
__device__ __forceinline__ void Score(Scores& scores, const Queries<kWidth>& queries, const Bf16* keys) {
  const int lane = threadIdx.x % kWarp;
#pragma unroll
  for (int step = 0; step < kWidth / 16; ++step) {
    uint32_t factors[4];
    queries.Get(factors, step);
#pragma unroll
    for (int i = 0; i < kTile / 16; ++i) {
      uint32_t tiles[4];  // keys 16 i: left and right columns of the step, which must be neighbours in registers; then keys 16 i + 8
      LoadTiles(tiles, keys + 16 * i * kWidth + PlaceOf<kWidth>(lane / 16 * 8 + lane % 8, step, lane / 8 % 2));
      MultiplyTile(scores[2 * i], factors, {tiles[0], tiles[1]});
      MultiplyTile(scores[2 * i + 1], factors, {tiles[2], tiles[3]});
    }
  }
}

// No query sees a key after it, nor one that its window has left behind.
__device__ __forceinline__ void Mask(Scores& scores, int first_key, int first_query, int window) {
  const int lane = threadIdx.x % kWarp, key = first_key + lane % 4 * 2, query = first_query + lane / 4;
#pragma unroll
  for (int tile = 0; tile < kTile / 8; ++tile) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int back = query + i / 2 * 8 - (key + tile * 8 + i % 2);
      if (back < 0 || back >= window) scores[tile][i] = -kInfinity;
    }
  }
}

// Scores become 2^(score - shift), and what was seen before is brought to the new shift.
template <int kWidth>
__device__ __forceinline__ void Weigh(Scores& scores, Seen<kWidth>& seen, float scale) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float largest = -kInfinity;
#pragma unroll
    for (int tile = 0; tile < kTile / 8; ++tile) largest = fmaxf(largest, fmaxf(scores[tile][2 * half], scores[tile][2 * half + 1]));
    largest = fmaxf(largest, ShuffleXor(largest, 1));
    largest = fmaxf(largest, ShuffleXor(largest, 2));
    const float shift = fmaxf(seen.shift[half], largest * scale), smaller = Exp2(seen.shift[half] - shift);
    seen.shift[half] = shift;
    float total = 0;
#pragma unroll
    for (int tile = 0; tile < kTile / 8; ++tile) {
#pragma unroll
      for (int i = 2 * half; i < 2 * half + 2; ++i) total += scores[tile][i] = Exp2(fmaf(scores[tile][i], scale, -shift));
    }
    seen.total[half] = seen.total[half] * smaller + total;
#pragma unroll
    for (int tile = 0; tile < kWidth / 8; ++tile) {
      seen.mixed[tile][2 * half] *= smaller;
      seen.mixed[tile][2 * half + 1] *= smaller;
    }
  }
}

// mixed [16, kWidth] += weights * values.
template <int kWidth>
__device__ __forceinline__ void Mix(Seen<kWidth>& seen, const Scores& weights, const Bf16* values) {
  const int lane = threadIdx.x % kWarp;
#pragma unroll
  for (int step = 0; step < kTile / 16; ++step) {
    const auto& left = weights[2 * step];
    const auto& right = weights[2 * step + 1];
    const uint32_t factors[4] = {ToBf16Pair(left[0], left[1]), ToBf16Pair(left[2], left[3]), ToBf16Pair(right[0], right[1]),
                                 ToBf16Pair(right[2], right[3])};
#pragma unroll
    for (int i = 0; i < kWidth / 16; ++i) {
      uint32_t tiles[4];  // values 0 and 8 of the step: left columns of 16, then right ones
      LoadTiles<true>(tiles, values + 16 * step * kWidth + PlaceOf<kWidth>(lane % 16, i, lane / 16));
      MultiplyTile(seen.mixed[2 * i], factors, {tiles[0], tiles[1]});
      MultiplyTile(seen.mixed[2 * i + 1], factors, {tiles[2], tiles[3]});
    }
  }
}

template <int kWidth>
__device__ __forceinline__ void Write(const Seen<kWidth>& seen, Bf16* out, int stride, int first_query, int end_query, int width, bool aligned) {
  const int lane = threadIdx.x % kWarp;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float total = seen.total[half];
    total += ShuffleXor(total, 1);
    total += ShuffleXor(total, 2);
    const int query = first_query + lane / 4 + half * 8;
    if (query >= end_query) continue;
    const float scale = 1 / total;
#pragma unroll
    for (int tile = 0; tile < kWidth / 8; ++tile) {
      const int column = tile * 8 + lane % 4 * 2;
      Bf16* to = out + static_cast<int64_t>(query) * stride + column;
      const uint32_t pair = ToBf16Pair(seen.mixed[tile][2 * half] * scale, seen.mixed[tile][2 * half + 1] * scale);
      if (aligned && column < width) *reinterpret_cast<uint32_t*>(to) = pair;
      if (!aligned && column < width) to[0] = {static_cast<uint16_t>(pair & 0xffff)};
      if (!aligned && column + 1 < width) to[1] = {static_cast<uint16_t>(pair >> 16)};
    }
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads, kWidth <= 64 ? 4 : kWidth <= 128 ? 3 : 2) AttentionKernel(FlabAttention call, bool aligned) {
  const auto work = WorkOfBlock<Bf16>(call, kTile);
  const int width = call.head_width, end = work.end_query;
  Bf16* const keys = SharedArray<Bf16>(kBuffers<kWidth> * kTile * kWidth);
  Bf16* const values = keys + kTile * kWidth;
  Queries<kWidth> queries;
  Bf16* const query_tile = keys + (kBuffers<kWidth> - 1) * kTile * kWidth;
  const auto copy = [&](Bf16* tile, const Bf16* rows, int first) {
    if (aligned) {
      CopyTile<kWidth>(tile, rows, work.stride, first, end, width);
    } else {
      CopyElements<kWidth>(tile, rows, work.stride, first, end, width);
    }
    EndCopies();
  };

  copy(query_tile, work.queries, work.first_query);
  copy(keys, work.keys, work.first_key);
  WaitForCopies<0>();
  __syncthreads();
  queries.tile = query_tile;
  if constexpr (kKeepsQueries<kWidth>) {
    queries.Keep();
    __syncthreads();  // values come where the queries were
  }

  const int first_query = work.first_query + static_cast<int>(threadIdx.x) / kWarp * kWarpQueries, last_query = min(first_query + kWarpQueries, end) - 1;
  const float scale = call.scale * 1.4426950408889634f;  // log2 e
  Seen<kWidth> seen;
  for (int first_key = work.first_key; first_key < end; first_key += kTile) {
    copy(values, work.values, first_key);
    // A warp without queries, or whose queries see none of these keys, only helps to copy.
    const bool sees = first_query < end && first_key <= last_query && first_query - (first_key + kTile - 1) < work.window;
    Scores scores = {};
    if (sees) Score(scores, queries, keys);
    WaitForCopies<0>();
    __syncthreads();  // all copies of values are there, and nobody reads these keys any more
    if (first_key + kTile < end) copy(keys, work.keys, first_key + kTile);
    if (sees) {
      const bool sees_all = first_key + kTile - 1 <= first_query && last_query - first_key < work.window;
      if (!sees_all) Mask(scores, first_key, first_query, work.window);
      Weigh(scores, seen, scale);
      Mix(seen, scores, values);
    }
    WaitForCopies<0>();
    __syncthreads();  // the same with keys and values exchanged
  }
  if (first_query < end) Write(seen, work.out, work.out_stride, first_query, end, width, aligned);
}

int AttendBf16(cudaStream_t stream, const FlabAttention& call) {
  const bool aligned = call.head_width % 8 == 0 && IsAligned(call.qkv, 16) && IsAligned(call.out, 4);
  return ForHeadWidth(call.head_width, [&](auto width) {
    constexpr int kWidth = decltype(width)::value;
    return Launch(stream, "Attention", AttentionKernel<kWidth>, BlocksOf(call), kThreads, sizeof(Bf16) * kBuffers<kWidth> * kTile * kWidth, call, aligned);
  });
}

}  // namespace

int Attention(FlabDevice* device, const FlabAttention* call) {
  if (call->head_width > kMostHeadWidth) return FailWith(FLAB_BAD_CALL, "attention: heads wider than 256");
  return call->dtype == FLAB_BF16 ? AttendBf16(device->compute, *call) : AttendF32(device->compute, *call);
}

}  // namespace flab::cuda
