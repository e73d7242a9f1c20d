#pragma once

#include <type_traits>

#include "cuda/launch.cuh"

namespace flab::cuda {

// In f32, without tensor cores. Heads of at most kMostHeadWidth.
int AttendF32(cudaStream_t stream, const FlabAttention& call);

constexpr int kMostHeadWidth = 256;

// Shifts of scores begin with it: below every score, and finite, so that differences from it are numbers.
constexpr float kLowest = -1e37f;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int kNoWindow = std::numeric_limits<int>::max();

// What a block computes: one head's queries of one tile, of one state.
template <typename T>
struct AttentionWork {
  const T *queries, *keys, *values;  // of the text's first row; rows are `stride` elements apart
  T* out;                            // rows are `out_stride` apart
  int stride, out_stride;
  int first_query, end_query;
  int window;  // kNoWindow: none
  int first_key;
};

// Blocks [tiles * H, states]. The last tiles begin first: in a text they see the most keys, and what takes long should not begin
// last. Heads of a tile lie side by side, so that those that share keys find them in the L2 cache.
template <typename T>
__device__ __forceinline__ AttentionWork<T> WorkOfBlock(const FlabAttention& call, int key_tile) {
  const unsigned index = gridDim.x - 1 - blockIdx.x, heads = static_cast<unsigned>(call.query_heads);
  const FlabQueries tile = call.tiles[index / heads];
  const int head = static_cast<int>(index % heads), kv_head = head / (call.query_heads / call.kv_heads);
  const int width = call.head_width;
  const int64_t row = blockIdx.y * call.state_rows + tile.first_row;
  AttentionWork<T> work;
  work.stride = (call.query_heads + 2 * call.kv_heads) * width;
  work.out_stride = call.query_heads * width;
  const T* rows = static_cast<const T*>(call.qkv) + row * work.stride;
  work.queries = rows + head * width;
  work.keys = rows + (call.query_heads + kv_head) * width;
  work.values = work.keys + call.kv_heads * width;
  work.out = static_cast<T*>(call.out) + row * work.out_stride + head * width;
  work.first_query = tile.first_query;
  work.end_query = min(tile.first_query + FLAB_QUERY_TILE, tile.length);
  work.window = call.window > 0 ? call.window : kNoWindow;
  work.first_key = max(0, tile.first_query - work.window + 1) / key_tile * key_tile;
  return work;
}

inline dim3 BlocksOf(const FlabAttention& call) {
  return {static_cast<unsigned>(call.tile_count * call.query_heads), static_cast<unsigned>(call.states), 1};
}

// run(kWidth) with the narrowest kWidth that holds a head.
template <typename Run>
int ForHeadWidth(int width, Run run) {
  if (width <= 32) return run(std::integral_constant<int, 32>());
  if (width <= 64) return run(std::integral_constant<int, 64>());
  if (width <= 96) return run(std::integral_constant<int, 96>());
  if (width <= 128) return run(std::integral_constant<int, 128>());
  if (width <= 192) return run(std::integral_constant<int, 192>());
  return run(std::integral_constant<int, 256>());
}

}  // namespace flab::cuda
