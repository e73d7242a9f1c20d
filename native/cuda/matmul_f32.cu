// out [rows, columns] = or += a [rows, depth] * weights [columns, depth]^T in f32: fused multiply-adds, each output summed in the order
// of the depth. No tensor cores: they would round the factors to 11 bits.
//
// A block computes a square tile of the output, a thread 8 x 8 of it in registers: per step of depth it reads 16 numbers of shared
// memory and does 64 multiply-adds, so that a warp's reads (6 times 128 bytes) take three eighths of the time of its arithmetic on a
// processor with 128 lanes. The depth goes by in stages of 8. Each thread fetches its part of the next stage into registers before it
// multiplies the one at hand, and puts it into the other half of shared memory afterwards; one barrier a stage.
//
// Shared memory holds a stage as [depth, tile], other than the matrices, so that a thread's four neighbouring numbers are one read.
// Four floats of padding a row let the two halves of a warp, which write rows k and k + 4, meet different banks.

#include "cuda/matmul_kernels.h"
#include "cuda/matmul_tiles.cuh"

namespace flab::cuda {
namespace {

constexpr int kDepth = 8;  // of a stage
constexpr int kItem = 4;   // numbers in 16 bytes
constexpr int kOwn = 8;    // rows and columns of a thread, in two pieces of kItem that lie half a tile apart

template <int kTile>
struct Stage {
  float a[kDepth][kTile + kItem], weights[kDepth][kTile + kItem];
};

template <int kTile>
constexpr int kThreads = (kTile / kOwn) * (kTile / kOwn);

// Four neighbouring numbers of which `count` are there, zeros after them.
template <bool kAligned>
__device__ __forceinline__ float4 LoadItem(const float* from, int count) {
  if (kAligned && count == kItem) {
    const uint4 bits = Load16(from);
    return {FloatOf(bits.x), FloatOf(bits.y), FloatOf(bits.z), FloatOf(bits.w)};
  }
  return {count > 0 ? from[0] : 0, count > 1 ? from[1] : 0, count > 2 ? from[2] : 0, count > 3 ? from[3] : 0};
}

// What one thread fetches of kTile rows: four numbers of every kStep-th row. Rows and depth that a matrix does not have are zeros.
template <int kTile, bool kAligned>
class Fetcher {
 public:
  __device__ __forceinline__ Fetcher(const float* matrix, int64_t first_row, int64_t rows, int64_t stride)
      : from_(matrix + (first_row + threadIdx.x / 2) * stride + First()),
        step_(kStep * stride),
        rows_(static_cast<int>(rows - first_row < kTile ? rows - first_row : kTile)) {}

  // The next kDepth numbers of the rows; `left` of the matrix's depth are still to come.
  __device__ __forceinline__ void Fetch(int64_t left) {
    const int64_t here = left - First();
    const int count = here <= 0 ? 0 : here < kItem ? static_cast<int>(here) : kItem;
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      const int row = threadIdx.x / 2 + i * kStep;
      items_[i] = LoadItem<kAligned>(from_ + i * step_, row < rows_ ? count : 0);
    }
    from_ += kDepth;
  }

  __device__ __forceinline__ void Put(float (&stage)[kDepth][kTile + kItem]) const {
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      const int row = threadIdx.x / 2 + i * kStep;
      stage[First()][row] = items_[i].x;
      stage[First() + 1][row] = items_[i].y;
      stage[First() + 2][row] = items_[i].z;
      stage[First() + 3][row] = items_[i].w;
    }
  }

 private:
  static constexpr int kStep = kThreads<kTile> / 2, kItems = kTile / kStep;
  __device__ __forceinline__ static int First() { return threadIdx.x % 2 * kItem; }
  const float* from_;
  int64_t step_;
  int rows_;
  float4 items_[kItems];
};

// The thread's eight numbers of a row of a stage: at `first`, and half a tile after it.
template <int kTile>
__device__ __forceinline__ void LoadOwn(float (&own)[kOwn], const float (&row)[kTile + kItem], int first) {
#pragma unroll
  for (int piece = 0; piece < 2; ++piece) {
    const float4 item = LoadItem<true>(&row[first + piece * (kTile / 2)], kItem);
    own[piece * kItem] = item.x;
    own[piece * kItem + 1] = item.y;
    own[piece * kItem + 2] = item.z;
    own[piece * kItem + 3] = item.w;
  }
}

template <int kTile>
__device__ __forceinline__ void MultiplyStage(float (&sums)[kOwn][kOwn], const Stage<kTile>& stage, int row, int column) {
  // Two steps at a time: one is read while the other is multiplied, and no more than 128 registers are asked for.
#pragma unroll 2
  for (int k = 0; k < kDepth; ++k) {
    float a[kOwn], weights[kOwn];
    LoadOwn<kTile>(a, stage.a[k], row);
    LoadOwn<kTile>(weights, stage.weights[k], column);
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
#pragma unroll
      for (int j = 0; j < kOwn; ++j) sums[i][j] = fmaf(a[i], weights[j], sums[i][j]);
    }
  }
}

// Four neighbouring sums; `items`: rows of the output are aligned to 16 bytes.
__device__ __forceinline__ void Put(const FlabMatmul& call, int64_t row, int64_t column, const float* sums, bool items) {
  if (row >= call.rows || column >= call.columns) return;
  float* to = call.out + row * call.out_stride + column;
  const int count = call.columns - column < kItem ? static_cast<int>(call.columns - column) : kItem;
  if (items && count == kItem) {
    const float4 before = call.accumulate ? LoadItem<true>(to, kItem) : float4{0, 0, 0, 0};
    Store16(to, {BitsOf(before.x + sums[0]), BitsOf(before.y + sums[1]), BitsOf(before.z + sums[2]), BitsOf(before.w + sums[3])});
    return;
  }
#pragma unroll
  for (int i = 0; i < kItem; ++i) {
    if (i < count) to[i] = (call.accumulate ? to[i] : 0) + sums[i];
  }
}

// kAligned: rows of both factors begin at 16 bytes.
template <int kTile, bool kAligned>
__global__ void __launch_bounds__(kThreads<kTile>, 512 / kThreads<kTile>) MultiplyF32Kernel(const FlabMatmul call, bool items) {
  auto& stages = SharedMemory<Stage<kTile>[2]>();
  const TilePlace place = PlaceOf(blockIdx.x, CeilDivide(call.rows, kTile), CeilDivide(call.columns, kTile));
  const int64_t first_row = place.row * kTile, first_column = place.column * kTile;
  Fetcher<kTile, kAligned> a(static_cast<const float*>(call.a), first_row, call.rows, call.a_stride);
  Fetcher<kTile, kAligned> weights(static_cast<const float*>(call.weights), first_column, call.columns, call.weights_stride);
  const int row = threadIdx.x / (kTile / kOwn) * kItem, column = threadIdx.x % (kTile / kOwn) * kItem;
  float sums[kOwn][kOwn]{};
  const auto fetch = [&](int64_t left) {
    a.Fetch(left);
    weights.Fetch(left);
  };
  const auto put = [&](Stage<kTile>& stage) {
    a.Put(stage.a);
    weights.Put(stage.weights);
  };
  fetch(call.depth);
  put(stages[0]);
  __syncthreads();
  int stage = 0;
  for (int64_t left = call.depth; left > 0; left -= kDepth) {
    const bool more = left > kDepth;
    if (more) fetch(left - kDepth);
    MultiplyStage<kTile>(sums, stages[stage], row, column);
    if (more) put(stages[1 - stage]);
    __syncthreads();
    stage = 1 - stage;
  }
#pragma unroll
  for (int i = 0; i < kOwn; ++i) {
    const int64_t to = first_row + row + i % kItem + i / kItem * (kTile / 2);
    Put(call, to, first_column + column, sums[i], items);
    Put(call, to, first_column + column + kTile / 2, sums[i] + kItem, items);
  }
}

template <int kTile, bool kAligned>
int Run(cudaStream_t stream, const FlabMatmul& call) {
  // A grid has 2^31 - 1 blocks at most: that many of the smallest tiles are 35 terabytes of output.
  const dim3 blocks{static_cast<unsigned>(TilesOf(call, kTile, kTile))};
  const bool items = IsAligned(call.out, 16) && call.out_stride % kItem == 0;
  return Launch(stream, "MultiplyF32", MultiplyF32Kernel<kTile, kAligned>, blocks, kThreads<kTile>, sizeof(Stage<kTile>[2]), call, items);
}

}  // namespace

int MultiplyF32(cudaStream_t stream, const FlabMatmul& call, int processors) {
  const auto aligned = [](const void* matrix, int64_t stride) { return IsAligned(matrix, 16) && stride % kItem == 0; };
  const bool both = aligned(call.a, call.a_stride) && aligned(call.weights, call.weights_stride);
  // The smaller tile fetches twice as much for each output, and is slower by a fifth where that matters.
  const bool large = TimeOf(call, 128, 128, 1, processors) <= TimeOf(call, 64, 64, 0.8, processors);
  if (large) return both ? Run<128, true>(stream, call) : Run<128, false>(stream, call);
  return both ? Run<64, true>(stream, call) : Run<64, false>(stream, call);
}

}  // namespace flab::cuda
