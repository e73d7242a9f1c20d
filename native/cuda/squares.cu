// Sums of squares of rows and columns, and cosines of rows, in doubles.
//
// Each number is read once. A warp takes a row: its reads lie together, and no barrier is needed. Columns: a block takes 32 of them,
// whose reads of a row lie together, and its 32 warps take turns at the rows; their sums are added in order at the end. At 13,440
// columns that is 420 blocks of 1,024 threads, two on a multiprocessor at a time.

#include "cuda/operations.h"

namespace flab::cuda {
namespace {

constexpr int kRowsPerBlock = 8;  // a warp each
constexpr int kWarps = 32;        // of a block that sums columns

__global__ void __launch_bounds__(kRowsPerBlock* kWarp)
    CosinesKernel(const float* __restrict__ a, const float* __restrict__ b,  // [rows, width]
                  int64_t rows, int64_t width,
                  double* __restrict__ cosines) {  // [rows]
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kRowsPerBlock + threadIdx.x / kWarp;
  if (row >= rows) return;
  double ab = 0, aa = 0, bb = 0;
#pragma unroll 4
  for (int64_t i = threadIdx.x % kWarp; i < width; i += kWarp) {
    const double x = a[row * width + i], y = b[row * width + i];
    ab += x * y, aa += x * x, bb += y * y;
  }
  ab = WarpSum(ab), aa = WarpSum(aa), bb = WarpSum(bb);
  if (threadIdx.x % kWarp != 0) return;
  const double cosine = ab / (sqrt(aa) * sqrt(bb));  // NaN stays NaN
  cosines[row] = aa == 0 || bb == 0 ? 1 : cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}

template <typename T>
__global__ void __launch_bounds__(kRowsPerBlock* kWarp)
    RowSquaresKernel(const T* __restrict__ matrix,  // [rows, columns]
                     int64_t rows, int64_t columns,
                     double* __restrict__ squares) {  // [rows]
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kRowsPerBlock + threadIdx.x / kWarp;
  if (row >= rows) return;
  double sum = 0;
#pragma unroll 8
  for (int64_t i = threadIdx.x % kWarp; i < columns; i += kWarp) {
    const double x = ToFloat(matrix[row * columns + i]);
    sum += x * x;
  }
  sum = WarpSum(sum);
  if (threadIdx.x % kWarp == 0) squares[row] = sum;
}

template <typename T>
__global__ void __launch_bounds__(kWarps* kWarp)
    ColumnSquaresKernel(const T* __restrict__ matrix,  // [rows, columns]
                        int64_t rows, int64_t columns,
                        double* __restrict__ squares) {  // [columns]
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kWarp + lane;
  double sum = 0;
  if (column < columns) {
#pragma unroll 8
    for (int64_t row = warp; row < rows; row += kWarps) {
      const double x = ToFloat(matrix[row * columns + column]);
      sum += x * x;
    }
  }
  double* sums = SharedArray<double>(kWarps * kWarp);  // [kWarps, kWarp]
  sums[threadIdx.x] = sum;
  __syncthreads();
  if (warp != 0 || column >= columns) return;
  for (int i = 1; i < kWarps; ++i) sum += sums[i * kWarp + lane];
  squares[column] = sum;
}

// run(pointer of the dtype's type)
template <typename Run>
int WithDtype(const void* matrix, int32_t dtype, const Run& run) {
  switch (dtype) {
    case FLAB_F16: return run(static_cast<const F16*>(matrix));
    case FLAB_BF16: return run(static_cast<const Bf16*>(matrix));
    default: return run(static_cast<const float*>(matrix));
  }
}

unsigned BlocksOfRows(int64_t rows) { return static_cast<unsigned>(CeilDivide(rows, kRowsPerBlock)); }

}  // namespace

int Cosines(FlabDevice* device, const float* a, const float* b, int64_t rows, int64_t width, double* cosines) {
  return Launch(device->compute, "Cosines", CosinesKernel, dim3{BlocksOfRows(rows)}, kRowsPerBlock * kWarp, 0, a, b, rows, width, cosines);
}

int RowSquares(FlabDevice* device, const void* matrix, int32_t dtype, int64_t rows, int64_t columns, double* squares) {
  return WithDtype(matrix, dtype, [&](auto* typed) {
    return Launch(device->compute, "RowSquares", RowSquaresKernel<std::decay_t<decltype(*typed)>>, dim3{BlocksOfRows(rows)}, kRowsPerBlock * kWarp, 0, typed,
                  rows, columns, squares);
  });
}

int ColumnSquares(FlabDevice* device, const void* matrix, int32_t dtype, int64_t rows, int64_t columns, double* squares) {
  return WithDtype(matrix, dtype, [&](auto* typed) {
    const dim3 blocks{static_cast<unsigned>(CeilDivide(columns, kWarp))};
    return Launch(device->compute, "ColumnSquares", ColumnSquaresKernel<std::decay_t<decltype(*typed)>>, blocks, kWarps * kWarp,
                  kWarps * kWarp * sizeof(double), typed, rows, columns, squares);
  });
}

}  // namespace flab::cuda
