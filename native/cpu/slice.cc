#include "cpu/slice.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace flab {
namespace {

constexpr int64_t kTaskBytes = 1 << 20;  // of output a task

// Neighbouring indices of a keep list, copied at once.
struct Run {
  int64_t begin, count;
};

std::vector<Run> Runs(std::span<const uint32_t> keep) {
  std::vector<Run> runs;
  for (const uint32_t index : keep) {
    if (!runs.empty() && runs.back().begin + runs.back().count == index) {
      ++runs.back().count;
    } else {
      runs.push_back({index, 1});
    }
  }
  return runs;
}

template <typename Item>
void GatherColumns(const std::byte* src, int64_t rows, int64_t columns, std::span<const uint32_t> keep, std::byte* dst) {
  for (int64_t row = 0; row < rows; ++row) {
    for (const uint32_t column : keep) {
      // memcpy: tensors in a file need not be aligned
      std::memcpy(dst, src + (row * columns + column) * sizeof(Item), sizeof(Item));
      dst += sizeof(Item);
    }
  }
}

}  // namespace

void SliceRows(const std::byte* src, int64_t row_bytes, std::span<const uint32_t> keep, std::byte* dst) {
  for (const Run run : Runs(keep)) {
    std::memcpy(dst, src + run.begin * row_bytes, run.count * row_bytes);
    dst += run.count * row_bytes;
  }
}

void SliceColumns(const std::byte* src, int64_t rows, int64_t columns, int64_t item_bytes, std::span<const uint32_t> keep,
                  std::byte* dst) {
  const std::vector<Run> runs = Runs(keep);
  constexpr int64_t kShortRun = 8;  // items; below it a call of memcpy costs more than the copies
  if (static_cast<int64_t>(keep.size()) < kShortRun * static_cast<int64_t>(runs.size())) {
    switch (item_bytes) {
      case 1: return GatherColumns<uint8_t>(src, rows, columns, keep, dst);
      case 2: return GatherColumns<uint16_t>(src, rows, columns, keep, dst);
      case 4: return GatherColumns<uint32_t>(src, rows, columns, keep, dst);
      case 8: return GatherColumns<uint64_t>(src, rows, columns, keep, dst);
    }
  }
  for (int64_t row = 0; row < rows; ++row) {
    for (const Run run : runs) {
      std::memcpy(dst, src + (row * columns + run.begin) * item_bytes, run.count * item_bytes);
      dst += run.count * item_bytes;
    }
  }
}

void SliceRows(const Job& job, const std::byte* src, int64_t row_bytes, std::span<const uint32_t> keep, std::byte* dst) {
  const int64_t count = static_cast<int64_t>(keep.size()), step = std::max<int64_t>(1, kTaskBytes / std::max<int64_t>(1, row_bytes));
  job.Parallel((count + step - 1) / step, [&](int64_t task) {
    const int64_t first = task * step;
    SliceRows(src, row_bytes, keep.subspan(first, std::min(step, count - first)), dst + first * row_bytes);
  });
}

void SliceColumns(const Job& job, const std::byte* src, int64_t rows, int64_t columns, int64_t item_bytes, std::span<const uint32_t> keep,
                  std::byte* dst) {
  const int64_t row_bytes = static_cast<int64_t>(keep.size()) * item_bytes, step = std::max<int64_t>(1, kTaskBytes / std::max<int64_t>(1, row_bytes));
  job.Parallel((rows + step - 1) / step, [&](int64_t task) {
    const int64_t first = task * step;
    SliceColumns(src + first * columns * item_bytes, std::min(step, rows - first), columns, item_bytes, keep, dst + first * row_bytes);
  });
}

}  // namespace flab
