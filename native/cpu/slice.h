#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/job.h"
#include "cpu/kernels.h"

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

// How to take the columns named by `keep` (strictly ascending) out of a row: worked out once, for all rows.
class ColumnSlicer {
 public:
  ColumnSlicer(int64_t columns, int64_t item_bytes, std::span<const uint32_t> keep);

  int64_t row_bytes() const { return row_bytes_; }    // of a source row
  int64_t kept_bytes() const { return kept_bytes_; }  // of a row of the result

  // dst [rows, keep.size()] of src [rows, columns].
  void Slice(const std::byte* src, int64_t rows, std::byte* dst) const;
  // dst [keep_rows.size(), keep.size()] of the rows of src named by `keep_rows`.
  void Slice(const std::byte* src, std::span<const uint32_t> keep_rows, std::byte* dst) const;

 private:
  friend void SliceColumns(const Job&, const std::byte*, int64_t, int64_t, int64_t, std::span<const uint32_t>, std::byte*);

  template <typename Place>
  void Slice(int64_t rows, Place place, std::byte* dst, bool past_caches) const;

  int64_t row_bytes_, kept_bytes_;
  Gather gather_;
  std::vector<GatherStep> steps_;  // the first of them for gather_, the others to be copied
  std::vector<uint8_t> patterns_;
  int64_t gathers_ = 0;
};

}  // namespace flab
