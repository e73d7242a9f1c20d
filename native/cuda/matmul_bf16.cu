// out [rows, columns] = or += a [rows, depth] * weights [columns, depth]^T, bf16 factors, sums in f32, on tensor cores.
//
// A block computes a tile of the output, a warp a part of it. The depth goes by in steps of 32: a stage of shared memory holds the
// factors of one step, and while one is multiplied the copies of the next two or three are under way (cp.async, so that no register
// waits for them). One barrier a step: after it, all have the stage that is multiplied next, and nobody reads the one before it any
// more, which the next copies go to.
//
// Sizes. An instruction multiplies 16 x 8 outputs by 16 of depth. With 64 x 64 outputs to a warp, 32 of them follow on 4 kB of shared
// memory: an A100 does 2,048 flops a cycle on 64 bytes, half of what shared memory gives; with 32 x 32 it would need all of it. A
// tile of 128 x 256 asks the L2 cache for a byte per 85 flops (128 x 128: 64), 3.7 TB/s at the peak of an A100. Its 128 sums and 64
// factors a thread leave room for one block of 8 warps on a processor, so two of them take turns at each tensor core.
// Shared memory: 96 kB at most, which every device from sm_80 on gives a block (sm_86, 89 and 120 have 99).
//
// A row of a stage is four chunks of 16 bytes. Chunk c of row r lies at place c ^ (r / 2 % 4) of its row, so that the eight rows that
// ldmatrix reads at a time are in different banks, and so are the two rows that eight threads write.

#include "cuda/matmul_kernels.h"
#include "cuda/matmul_tiles.cuh"
#include "cuda/tensor_core.cuh"

namespace flab::cuda {
namespace {

constexpr int kDepth = 32;                // of a stage
constexpr int kChunk = 8;                 // numbers in 16 bytes
constexpr int kChunks = kDepth / kChunk;  // in a row

// `kBlockCount`: how many blocks a processor shall hold at least.
template <int kHeight, int kWidth, int kWarpHeight, int kWarpWidth, int kStageCount, int kBlockCount>
struct Tile {
  static constexpr int kRows = kHeight, kColumns = kWidth, kWarpRows = kWarpHeight, kWarpColumns = kWarpWidth;
  static constexpr int kStages = kStageCount, kBlocks = kBlockCount;
  static constexpr int kThreads = (kRows / kWarpRows) * (kColumns / kWarpColumns) * kWarp;
  static constexpr int kHigh = kWarpRows / 16, kWide = kWarpColumns / 8;  // instructions of a warp
  struct Stage {
    Bf16 a[kRows * kDepth], weights[kColumns * kDepth];
  };
  struct Shared {
    Stage stages[kStages];
  };
};
using Large = Tile<128, 256, 64, 64, 4, 1>;
using Medium = Tile<128, 128, 64, 64, 3, 2>;
using Small = Tile<64, 64, 32, 32, 4, 4>;

__device__ __forceinline__ int PlaceInStage(int row, int chunk) { return row * kDepth + (chunk ^ (row / 2 % kChunks)) * kChunk; }

// Eight numbers of which `count` are there, zeros after them.
__device__ __forceinline__ uint4 LoadNumbers(const Bf16* from, int count) {
  uint32_t words[4];
  for (int i = 0; i < 4; ++i) {
    const uint32_t low = 2 * i < count ? from[2 * i].bits : 0, high = 2 * i + 1 < count ? from[2 * i + 1].bits : 0;
    words[i] = low | high << 16;
  }
  return {words[0], words[1], words[2], words[3]};
}

// What one thread copies of kRows rows: the same chunk of every kStep-th row. Rows and depth that a matrix does not have are zeros.
template <int kRows, int kThreads, bool kAligned>
class Copier {
 public:
  __device__ __forceinline__ Copier(const Bf16* matrix, int64_t first_row, int64_t rows, int64_t stride)
      : from_(matrix + (first_row + threadIdx.x / kChunks) * stride + Chunk() * kChunk),
        step_(kStep * stride),
        rows_(static_cast<int>(rows - first_row < kRows ? rows - first_row : kRows)) {}

  // The next kDepth numbers of the rows; `left` of the matrix's depth are still to come.
  __device__ __forceinline__ void Copy(Bf16* stage, int64_t left) {
    const int64_t here = left - Chunk() * kChunk;
    const int count = here <= 0 ? 0 : here < kChunk ? static_cast<int>(here) : kChunk;
    const int row = threadIdx.x / kChunks;
    Bf16* to = stage + PlaceInStage(row, Chunk());
#pragma unroll
    for (int i = 0; i < kRows / kStep; ++i) {
      const int valid = row + i * kStep < rows_ ? count : 0;
      if constexpr (kAligned) {
        CopyAsyncPart(to + i * kStep * kDepth, from_ + i * step_, valid * 2);
      } else {
        Store16(to + i * kStep * kDepth, LoadNumbers(from_ + i * step_, valid));
      }
    }
    from_ += kDepth;
  }

 private:
  static constexpr int kStep = kThreads / kChunks;
  static_assert(kRows % kStep == 0 && kStep % 8 == 0, "all rows of a thread have their chunk at the same place");
  __device__ __forceinline__ static int Chunk() { return threadIdx.x % kChunks; }
  const Bf16* from_;
  int64_t step_;
  int rows_;
};

// What a warp needs of a stage for one instruction's depth of 16.
template <typename T>
struct Factors {
  uint32_t a[T::kHigh][4], weights[T::kWide][2];

  // The warp's part begins at these rows of the stage; `half` is which half of its depth.
  __device__ __forceinline__ void Load(const typename T::Stage& stage, int a_row, int weights_row, int half) {
    const int lane = threadIdx.x % kWarp;
#pragma unroll
    for (int i = 0; i < T::kHigh; ++i) LoadTiles(a[i], stage.a + PlaceInStage(a_row + i * 16 + lane % 16, half * 2 + lane / 16));
#pragma unroll
    for (int i = 0; i < T::kWide; i += 2) {
      uint32_t two[4];  // columns of 8 outputs, both halves of the depth, and of the next 8
      LoadTiles(two, stage.weights + PlaceInStage(weights_row + i * 8 + lane / 16 * 8 + lane % 8, half * 2 + lane / 8 % 2));
      weights[i][0] = two[0];
      weights[i][1] = two[1];
      weights[i + 1][0] = two[2];
      weights[i + 1][1] = two[3];
    }
  }
};

template <typename T>
using Sums = float[T::kHigh][T::kWide][4];

template <typename T>
__device__ __forceinline__ void MultiplyStage(Sums<T>& sums, const typename T::Stage& stage, int a_row, int weights_row) {
  Factors<T> factors[2];
  factors[0].Load(stage, a_row, weights_row, 0);
  factors[1].Load(stage, a_row, weights_row, 1);
#pragma unroll
  for (const Factors<T>& half : factors) {
#pragma unroll
    for (int i = 0; i < T::kHigh; ++i) {
#pragma unroll
      for (int j = 0; j < T::kWide; ++j) MultiplyTile(sums[i][j], half.a[i], half.weights[j]);
    }
  }
}

// Two neighbouring sums; `pairs`: rows of the output are aligned to 8 bytes.
__device__ __forceinline__ void Put(const FlabMatmul& call, int64_t row, int64_t column, float left, float right, bool pairs) {
  if (row >= call.rows || column >= call.columns) return;
  float* to = call.out + row * call.out_stride + column;
  const bool both = column + 1 < call.columns;
  if (pairs && both) {
    auto* pair = reinterpret_cast<float2*>(to);
    const float2 before = call.accumulate ? *pair : float2{0, 0};
    *pair = {before.x + left, before.y + right};
    return;
  }
  to[0] = (call.accumulate ? to[0] : 0) + left;
  if (both) to[1] = (call.accumulate ? to[1] : 0) + right;
}

// A warp's part where all of it is within the output, in pairs. What is added to is read for 16 rows together: one after the other, each
// load would wait for the memory.
template <typename T>
__device__ __forceinline__ void PutWhole(const FlabMatmul& call, float* to, const Sums<T>& sums) {
#pragma unroll
  for (int i = 0; i < T::kHigh; ++i, to += 16 * call.out_stride) {
    const auto pair = [&](int half, int j) { return reinterpret_cast<float2*>(to + half * 8 * call.out_stride + j * 8); };
    float2 before[2][T::kWide] = {};
    if (call.accumulate) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
#pragma unroll
        for (int j = 0; j < T::kWide; ++j) before[half][j] = *pair(half, j);
      }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
#pragma unroll
      for (int j = 0; j < T::kWide; ++j) *pair(half, j) = {before[half][j].x + sums[i][j][2 * half], before[half][j].y + sums[i][j][2 * half + 1]};
    }
  }
}

template <typename T>
__device__ __forceinline__ void PutAll(const FlabMatmul& call, int64_t row, int64_t column, const Sums<T>& sums, bool pairs) {
  const int lane = threadIdx.x % kWarp;
  const bool whole = row + T::kWarpRows <= call.rows && column + T::kWarpColumns <= call.columns;
  if (pairs && whole) return PutWhole<T>(call, call.out + (row + lane / 4) * call.out_stride + column + lane % 4 * 2, sums);
  row += lane / 4;
  column += lane % 4 * 2;
#pragma unroll
  for (int i = 0; i < T::kHigh; ++i) {
#pragma unroll
    for (int j = 0; j < T::kWide; ++j) {
      const float(&sum)[4] = sums[i][j];
      Put(call, row + i * 16, column + j * 8, sum[0], sum[1], pairs);
      Put(call, row + i * 16 + 8, column + j * 8, sum[2], sum[3], pairs);
    }
  }
}

// kAligned: rows of both factors begin at 16 bytes.
template <typename T, bool kAligned>
__global__ void __launch_bounds__(T::kThreads, T::kBlocks) MultiplyBf16Kernel(const FlabMatmul call, bool pairs) {
  auto& stages = SharedMemory<typename T::Shared>().stages;
  const TilePlace place = PlaceOf(blockIdx.x, CeilDivide(call.rows, T::kRows), CeilDivide(call.columns, T::kColumns));
  const int64_t first_row = place.row * T::kRows, first_column = place.column * T::kColumns;
  Copier<T::kRows, T::kThreads, kAligned> a(static_cast<const Bf16*>(call.a), first_row, call.rows, call.a_stride);
  Copier<T::kColumns, T::kThreads, kAligned> weights(static_cast<const Bf16*>(call.weights), first_column, call.columns, call.weights_stride);
  int64_t left = call.depth;  // to be copied
  const auto copy = [&](int stage) {
    if (left > 0) {
      a.Copy(stages[stage].a, left);
      weights.Copy(stages[stage].weights, left);
    }
    EndCopies();
    left -= kDepth;
  };
  constexpr int kAhead = T::kStages - 1;
  for (int stage = 0; stage < kAhead; ++stage) copy(stage);

  constexpr int kHighWarps = T::kRows / T::kWarpRows;
  const int warp = threadIdx.x / kWarp, a_row = warp % kHighWarps * T::kWarpRows, weights_row = warp / kHighWarps * T::kWarpColumns;
  Sums<T> sums{};
  int stage = 0, next = kAhead;
  for (int64_t done = 0; done < call.depth; done += kDepth) {
    WaitForCopies<kAhead - 1>();
    __syncthreads();
    copy(next);
    MultiplyStage<T>(sums, stages[stage], a_row, weights_row);
    stage = stage + 1 < T::kStages ? stage + 1 : 0;
    next = next + 1 < T::kStages ? next + 1 : 0;
  }
  PutAll<T>(call, first_row + a_row, first_column + weights_row, sums, pairs);
}

template <typename T, bool kAligned>
int Run(cudaStream_t stream, const FlabMatmul& call) {
  // A grid has 2^31 - 1 blocks at most: that many of the smallest tiles are 35 terabytes of output.
  const dim3 blocks{static_cast<unsigned>(TilesOf(call, T::kRows, T::kColumns))};
  const bool pairs = IsAligned(call.out, 8) && call.out_stride % 2 == 0;
  return Launch(stream, "MultiplyBf16", MultiplyBf16Kernel<T, kAligned>, blocks, T::kThreads, sizeof(typename T::Shared), call, pairs);
}

template <typename T>
double Time(const FlabMatmul& call, double speed, int processors) {
  return TimeOf(call, T::kRows, T::kColumns, speed, processors);
}

}  // namespace

int MultiplyBf16(cudaStream_t stream, const FlabMatmul& call, int processors) {
  const auto aligned = [](const void* matrix, int64_t stride) { return IsAligned(matrix, 16) && stride % kChunk == 0; };
  if (!aligned(call.a, call.a_stride) || !aligned(call.weights, call.weights_stride)) return Run<Medium, false>(stream, call);
  // By the bytes that they read: of the L2 cache (large, medium), of shared memory (small).
  const double large = Time<Large>(call, 1, processors), medium = Time<Medium>(call, 0.9, processors), small = Time<Small>(call, 0.5, processors);
  if (large <= medium && large <= small) return Run<Large, true>(stream, call);
  return medium <= small ? Run<Medium, true>(stream, call) : Run<Small, true>(stream, call);
}

}  // namespace flab::cuda
