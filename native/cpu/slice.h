#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/job.h"

namespace flab {

// Copies the rows of src [*, row_bytes] named by `keep`, in its order, to dst [keep.size(), row_bytes].
// dst may not overlap src.
void SliceRows(const std::byte* src, int64_t row_bytes, std::span<const uint32_t> keep, std::byte* dst);

// Copies the columns named by `keep` (strictly ascending) of every row of src [rows, columns] of items of
// `item_bytes` to dst [rows, keep.size()]. dst may not overlap src.
void SliceColumns(const std::byte* src, int64_t rows, int64_t columns, int64_t item_bytes, std::span<const uint32_t> keep,
                  std::byte* dst);

// The same on all threads.
void SliceRows(const Job& job, const std::byte* src, int64_t row_bytes, std::span<const uint32_t> keep, std::byte* dst);
void SliceColumns(const Job& job, const std::byte* src, int64_t rows, int64_t columns, int64_t item_bytes, std::span<const uint32_t> keep,
                  std::byte* dst);

}  // namespace flab
