#pragma once

#include "cuda/launch.cuh"

namespace flab::cuda {

// Most numbers that are sorted at once.
constexpr int64_t kMostSorted = 0x7fffffff;

struct SortRows {
  const double* keys;      // [rows, columns], no NaN and no -0
  const uint32_t* values;  // [rows, columns]
  double* sorted_keys;     // [rows, columns]; what follows overlaps nothing
  uint32_t* sorted_values;
  const int32_t* ends;     // [rows + 1]: i * columns, on the device
  int64_t rows, columns;   // at most kMostSorted numbers
};

// Bytes that sorting needs for itself.
int ScratchOfSort(const SortRows& call, size_t* bytes);
// Each row's pairs by falling keys; equal ones stay in their order.
int Sort(cudaStream_t stream, const SortRows& call, void* scratch, size_t bytes);

}  // namespace flab::cuda
