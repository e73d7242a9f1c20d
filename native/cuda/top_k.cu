// The largest scores of each row.
//
// Rows are sorted twice: by falling scores, stably, so that of equal ones the lower index comes first; and the indices of the first
// `count` by rising index, which for the same sort are falling numbers -index. One sort serves both, so that the library
// has its kernels once. A block sorts a row, in some 20 passes; this happens once a ranking, with a row for each layer.

#include <algorithm>

#include "cuda/operations.h"
#include "cuda/scratch.h"
#include "cuda/sort_rows.h"

namespace flab::cuda {
namespace {

constexpr int kThreads = 256;
// Scores that are sorted together, unless one row has more: 24 MB of scratch, and half as much for the sort itself.
constexpr int64_t kPart = int64_t{1} << 20;

__device__ __forceinline__ int64_t ThreadOfGrid() { return static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; }

__global__ void __launch_bounds__(kThreads)
    ScoresKernel(const double* __restrict__ scores,  // [rows, columns]
                 int64_t rows, int64_t columns,
                 double* __restrict__ keys, uint32_t* __restrict__ values,  // [rows, columns]
                 int32_t* __restrict__ ends) {                             // [rows + 1]
  const int64_t i = ThreadOfGrid();
  if (i <= rows) ends[i] = static_cast<int32_t>(i * columns);
  if (i >= rows * columns) return;
  keys[i] = scores[i] == 0 ? 0 : scores[i];  // -0 is no less than 0
  values[i] = static_cast<uint32_t>(i % columns);
}

__global__ void __launch_bounds__(kThreads)
    ChosenKernel(const uint32_t* __restrict__ order,  // [rows, columns]
                 int64_t rows, int64_t columns, int64_t count,
                 double* __restrict__ keys, uint32_t* __restrict__ values,  // [rows, count]
                 int32_t* __restrict__ ends) {                             // [rows + 1]
  const int64_t i = ThreadOfGrid();
  if (i <= rows) ends[i] = static_cast<int32_t>(i * count);
  if (i >= rows * count) return;
  values[i] = order[i / count * columns + i % count];
  keys[i] = 0 - static_cast<double>(values[i]);  // never -0
}

// Of at most `rows` rows.
struct Buffers {
  double *keys, *sorted_keys;
  uint32_t *values, *sorted_values;
  int32_t* ends;
  std::byte* sorting;
  size_t sorting_bytes;

  SortRows Sorting(int64_t rows, int64_t columns, uint32_t* out) const { return {keys, values, sorted_keys, out, ends, rows, columns}; }
};

int Take(Scratch& scratch, int64_t rows, int64_t columns, int64_t count, Buffers* buffers) {
  const int64_t size = rows * columns;
  if (const int code = scratch.Take(size, &buffers->keys)) return code;
  if (const int code = scratch.Take(size, &buffers->sorted_keys)) return code;
  if (const int code = scratch.Take(size, &buffers->values)) return code;
  if (const int code = scratch.Take(size, &buffers->sorted_values)) return code;
  if (const int code = scratch.Take(rows + 1, &buffers->ends)) return code;
  size_t first = 0, second = 0;
  if (const int code = ScratchOfSort(buffers->Sorting(rows, columns, buffers->sorted_values), &first)) return code;
  if (const int code = ScratchOfSort(buffers->Sorting(rows, count, buffers->sorted_values), &second)) return code;
  buffers->sorting_bytes = std::max(first, second);
  return scratch.Take(static_cast<int64_t>(buffers->sorting_bytes), &buffers->sorting);
}

int TopKOfPart(cudaStream_t stream, const Buffers& b, const double* scores, int64_t rows, int64_t columns, int64_t count, uint32_t* out) {
  const auto blocks = [&](int64_t size) { return dim3{static_cast<unsigned>(CeilDivide(std::max(size, rows + 1), kThreads))}; };
  if (const int code = Launch(stream, "TopKScores", ScoresKernel, blocks(rows * columns), kThreads, 0, scores, rows, columns, b.keys, b.values, b.ends)) {
    return code;
  }
  if (const int code = Sort(stream, b.Sorting(rows, columns, b.sorted_values), b.sorting, b.sorting_bytes)) return code;
  if (const int code = Launch(stream, "TopKChosen", ChosenKernel, blocks(rows * count), kThreads, 0, b.sorted_values, rows, columns, count, b.keys, b.values,
                              b.ends)) {
    return code;
  }
  return Sort(stream, b.Sorting(rows, count, out), b.sorting, b.sorting_bytes);
}

}  // namespace

int TopK(FlabDevice* device, const double* scores, int64_t rows, int64_t columns, int64_t count, uint32_t* out) {
  if (rows == 0 || count == 0) return FLAB_OK;
  if (columns > kMostSorted || count > columns) return FailWith(FLAB_BAD_CALL, "top_k: expected rows of at most 2^31 - 1 scores, and no more to choose");
  const int64_t part = std::clamp<int64_t>(kPart / columns, 1, rows);
  Scratch scratch(device);
  Buffers buffers;
  if (const int code = Take(scratch, part, columns, count, &buffers)) return code;
  for (int64_t row = 0; row < rows; row += part) {
    const int64_t here = std::min(part, rows - row);
    if (const int code = TopKOfPart(device->compute, buffers, scores + row * columns, here, columns, count, out + row * count)) return code;
  }
  return FLAB_OK;
}

}  // namespace flab::cuda
