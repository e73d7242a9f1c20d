// Sorting rows: CUB's stable radix sort of segments, and the same done by the host where kernels run on the emulator.

#include "cuda/sort_rows.h"

#ifdef FLAB_EMULATE
#include <algorithm>
#include <numeric>
#include <vector>
#else
#define CCCL_DISABLE_NVTX
#include <cub/device/device_segmented_radix_sort.cuh>
#endif

namespace flab::cuda {

#ifdef FLAB_EMULATE

// What a radix sort goes by: unsigned numbers in the order of the doubles, in which -0 comes before 0.
static uint64_t OrderOf(double key) {
  uint64_t bits;
  std::memcpy(&bits, &key, sizeof bits);
  return bits >> 63 ? ~bits : bits | uint64_t{1} << 63;
}

int ScratchOfSort(const SortRows&, size_t* bytes) {
  *bytes = 1;
  return FLAB_OK;
}

int Sort(cudaStream_t stream, const SortRows& call, void*, size_t) {
  emulator::Host(stream, [call] {
    std::vector<int64_t> order(call.columns);
    for (int64_t row = 0; row < call.rows; ++row) {
      const int64_t first = call.ends[row];
      std::iota(order.begin(), order.end(), first);
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return OrderOf(call.keys[a]) > OrderOf(call.keys[b]); });
      for (int64_t i = 0; i < call.columns; ++i) {
        call.sorted_keys[first + i] = call.keys[order[i]];
        call.sorted_values[first + i] = call.values[order[i]];
      }
    }
  });
  return Launched("SortRows");
}

#else

namespace {

int Run(cudaStream_t stream, const SortRows& call, void* scratch, size_t* bytes) {
  const cudaError_t error = cub::DeviceSegmentedRadixSort::SortPairsDescending(
      scratch, *bytes, call.keys, call.sorted_keys, call.values, call.sorted_values, static_cast<int>(call.rows * call.columns), static_cast<int>(call.rows),
      call.ends, call.ends + 1, 0, 64, stream);
  return error == cudaSuccess ? FLAB_OK : Fail(error, "SortRows");
}

}  // namespace

int ScratchOfSort(const SortRows& call, size_t* bytes) {
  *bytes = 0;
  return Run(nullptr, call, nullptr, bytes);
}

int Sort(cudaStream_t stream, const SortRows& call, void* scratch, size_t bytes) { return Run(stream, call, scratch, &bytes); }

#endif

}  // namespace flab::cuda
