// Causal attention over packed texts in f32, without tensor cores.
//
// A block has 64 queries of one head, 8 for each of 8 warps, in shared memory. Tiles of 32 keys, then of their 32 values, come into
// one buffer there. A lane has one key, so that what it reads of it serves 8 queries; then it has every 32nd column of the values,
// and the weights come from the lanes that have them. Softmax goes on from tile to tile as in attention.cu.
//
// Heads of 128: 48 kB of shared memory and 2 blocks a multiprocessor; 256: 97 kB. The rows of the buffer are 16 bytes longer than
// they need be, so that 8 lanes read 16 bytes each of different banks.

#include "cuda/attention.cuh"

namespace flab::cuda {
namespace {

constexpr int kWarps = 8, kThreads = kWarps * kWarp;
constexpr int kWarpQueries = 8, kTile = kWarp;  // keys, and values, of a tile
static_assert(kWarps * kWarpQueries == FLAB_QUERY_TILE);

template <int kWidth>
struct Shared {
  alignas(16) float queries[FLAB_QUERY_TILE][kWidth];
  alignas(16) float tile[kTile][kWidth + 4];
};

// Rows [first, first + kRows) of a head; rows from `end` and columns from `width` on become zeros.
template <int kWidth, int kRows, int kStride>
__device__ __forceinline__ void Copy(float (&to)[kRows][kStride],
                                     const float* __restrict__ rows,  // [end, stride]
                                     int stride, int first, int end, int width) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
#pragma unroll 1
  for (int row = warp; row < kRows; row += kWarps) {
    const float* from = rows + static_cast<int64_t>(first + row) * stride + lane;
#pragma unroll
    for (int c = 0; c < kWidth; c += kWarp) to[row][c + lane] = first + row < end && c + lane < width ? from[c] : 0;
  }
}

// What a warp's queries have seen so far.
template <int kWidth>
struct Seen {
  float mixed[kWarpQueries][kWidth / kWarp] = {};  // sums of 2^(score - shift) * value: this lane's columns
  float shift[kWarpQueries];                       // the largest score so far, in units of log 2
  float total[kWarpQueries] = {};                  // sums of 2^(score - shift): this lane's keys
};

// scores[i] = query i * this lane's key.
template <int kWidth>
__device__ __forceinline__ void Score(float (&scores)[kWarpQueries], const float (*queries)[kWidth], const float (&key)[kWidth + 4]) {
#pragma unroll 1
  for (int column = 0; column < kWidth; column += 4) {
    const float4 k = *reinterpret_cast<const float4*>(&key[column]);
#pragma unroll
    for (int i = 0; i < kWarpQueries; ++i) {
      const float4 q = *reinterpret_cast<const float4*>(&queries[i][column]);
      scores[i] = fmaf(q.x, k.x, fmaf(q.y, k.y, fmaf(q.z, k.z, fmaf(q.w, k.w, scores[i]))));
    }
  }
}

// Scores become 2^(score - shift), zero for keys that a query doesn't see, and what was seen before is brought to the new shift.
template <int kWidth>
__device__ __forceinline__ void Weigh(float (&scores)[kWarpQueries], Seen<kWidth>& seen, int first_query, int key, int window, float scale) {
#pragma unroll
  for (int i = 0; i < kWarpQueries; ++i) {
    const int back = first_query + i - key;
    const float score = back < 0 || back >= window ? -kInfinity : scores[i];
    const float shift = fmaxf(seen.shift[i], WarpMax(score) * scale), smaller = Exp2(seen.shift[i] - shift);
    scores[i] = Exp2(fmaf(score, scale, -shift));
    seen.shift[i] = shift;
    seen.total[i] = seen.total[i] * smaller + scores[i];
#pragma unroll
    for (float& sum : seen.mixed[i]) sum *= smaller;
  }
}

// mixed [8, kWidth] += weights * values.
template <int kWidth>
__device__ __forceinline__ void Mix(Seen<kWidth>& seen, const float (&weights)[kWarpQueries], const float (&values)[kTile][kWidth + 4]) {
  const int lane = threadIdx.x % kWarp;
#pragma unroll 2
  for (int key = 0; key < kTile; ++key) {
    float value[kWidth / kWarp];
#pragma unroll
    for (int c = 0; c < kWidth / kWarp; ++c) value[c] = values[key][c * kWarp + lane];
#pragma unroll
    for (int i = 0; i < kWarpQueries; ++i) {
      const float weight = Shuffle(weights[i], key);
#pragma unroll
      for (int c = 0; c < kWidth / kWarp; ++c) seen.mixed[i][c] = fmaf(weight, value[c], seen.mixed[i][c]);
    }
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads, 2) AttentionF32Kernel(FlabAttention call) {
  auto& shared = SharedMemory<Shared<kWidth>>();
  const auto work = WorkOfBlock<float>(call, kTile);
  const int lane = threadIdx.x % kWarp, width = call.head_width, end = work.end_query;
  const int warp_query = static_cast<int>(threadIdx.x) / kWarp * kWarpQueries, first_query = work.first_query + warp_query;
  const int last_query = min(first_query + kWarpQueries, end) - 1;
  const float scale = call.scale * 1.4426950408889634f;  // log2 e
  Seen<kWidth> seen;
  for (float& shift : seen.shift) shift = kLowest;

  Copy<kWidth>(shared.queries, work.queries, work.stride, work.first_query, end, width);
  for (int first_key = work.first_key; first_key < end; first_key += kTile) {
    // A warp without queries, or whose queries see none of these keys, only helps to copy.
    const bool sees = first_query < end && first_key <= last_query && first_query - (first_key + kTile - 1) < work.window;
    Copy<kWidth>(shared.tile, work.keys, work.stride, first_key, end, width);
    __syncthreads();
    float weights[kWarpQueries] = {};
    if (sees) {
      Score<kWidth>(weights, &shared.queries[warp_query], shared.tile[lane]);
      Weigh(weights, seen, first_query, first_key + lane, work.window, scale);
    }
    __syncthreads();
    Copy<kWidth>(shared.tile, work.values, work.stride, first_key, end, width);
    __syncthreads();
    if (sees) Mix(seen, weights, shared.tile);
    __syncthreads();
  }

  for (int i = 0; i < kWarpQueries; ++i) {
    if (first_query + i >= end) break;
    const float total = WarpSum(seen.total[i]);
    float* to = work.out + static_cast<int64_t>(first_query + i) * work.out_stride;
#pragma unroll
    for (int c = 0; c < kWidth / kWarp; ++c) {
      if (c * kWarp + lane < width) to[c * kWarp + lane] = seen.mixed[i][c] / total;
    }
  }
}

}  // namespace

int AttendF32(cudaStream_t stream, const FlabAttention& call) {
  return ForHeadWidth(call.head_width, [&](auto width) {
    constexpr int kWidth = decltype(width)::value;
    return Launch(stream, "Attention in f32", AttentionF32Kernel<kWidth>, BlocksOf(call), kThreads, sizeof(Shared<kWidth>), call);
  });
}

}  // namespace flab::cuda
