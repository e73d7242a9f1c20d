#include "cpu/slice.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <cstring>

namespace flab {
namespace {

constexpr int64_t kTaskBytes = 256 << 10;  // of output a task
constexpr int64_t kLine = 64;              // of the caches, and the widest vector
constexpr int64_t kBatchBytes = 1024;      // of the result put together at once
constexpr int64_t kAhead = 2048;           // of the source, fetched before they are needed

// From this size on the result goes past the caches: it would not be there any more when it is read, and an ordinary store
// reads the line first that it then overwrites.
constexpr int64_t kPastCaches = 4 << 20;

// Neighbouring indices of a keep list from `first` on, copied at once.
int64_t RunLength(std::span<const uint32_t> keep, int64_t first) {
  int64_t end = first + 1;
  while (end < static_cast<int64_t>(keep.size()) && keep[end] == keep[end - 1] + 1) ++end;
  return end - first;
}

// The result, put together in the L1 cache and moved on in whole lines.
class Result {
 public:
  Result(std::byte* to, bool past_caches)
      : before_(reinterpret_cast<uintptr_t>(to) % kLine), filled_(before_), to_(to - before_) {
    if (past_caches) past_caches_ = ActiveKernels().store_past_caches;
  }
  ~Result() {
    std::memcpy(to_ + before_, stage_ + before_, filled_ - before_);
#ifdef __SSE2__
    if (past_caches_) _mm_sfence();  // before anyone is told that the result is there
#endif
  }
  Result(const Result&) = delete;

  // Where kBatchBytes and a vector may be written next; Advance takes what counts of it.
  std::byte* room() { return stage_ + filled_; }
  void Advance(int64_t bytes) {
    filled_ += bytes;
    const int64_t lines = filled_ / kLine * kLine;
    if (lines == 0) return;
    if (before_ > 0) {
      // The first line's front is another task's.
      std::memcpy(to_ + before_, stage_ + before_, kLine - before_);
      StoreLines(kLine, lines);
      before_ = 0;
    } else {
      StoreLines(0, lines);
    }
    std::memcpy(stage_, stage_ + lines, kLine);
    to_ += lines, filled_ -= lines;
  }

  // At most kBatchBytes.
  void Append(const std::byte* from, int64_t bytes) {
    std::memcpy(room(), from, bytes);
    Advance(bytes);
  }

 private:
  void StoreLines(int64_t begin, int64_t end) {
    if (past_caches_) {
      past_caches_(stage_ + begin, end - begin, to_ + begin);
    } else {
      std::memcpy(to_ + begin, stage_ + begin, end - begin);
    }
  }

  // Within one page: across two it cost up to a third of the speed.
  alignas(2048) std::byte stage_[kLine + kBatchBytes + kLine];
  int64_t before_, filled_;
  std::byte* to_;
  decltype(Kernels::store_past_caches) past_caches_ = nullptr;
};

// The processor's own prefetching stops at the end of a page, at the end of a row and while the result is stored.
void Prefetch(const std::byte* from, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += kLine) __builtin_prefetch(from + i);
}

// Walks over the rows of a keep list, neighbouring ones as one.
class KeptRows {
 public:
  KeptRows(const std::byte* src, int64_t row_bytes, std::span<const uint32_t> keep) : src_(src), row_bytes_(row_bytes), keep_(keep) {}

  // The next bytes of the source, at most `limit`; none at the end.
  std::span<const std::byte> Next(int64_t limit) {
    if (left_ == 0) {
      if (row_ == static_cast<int64_t>(keep_.size())) return {};
      const int64_t run = RunLength(keep_, row_);
      from_ = src_ + keep_[row_] * row_bytes_;
      left_ = run * row_bytes_;
      row_ += run;
    }
    const int64_t count = std::min(limit, left_);
    from_ += count, left_ -= count;
    return {from_ - count, from_};
  }

 private:
  const std::byte* src_;
  const int64_t row_bytes_;
  const std::span<const uint32_t> keep_;
  int64_t row_ = 0, left_ = 0;
  const std::byte* from_ = nullptr;
};

void CopyRows(const std::byte* src, int64_t row_bytes, std::span<const uint32_t> keep, std::byte* dst, bool past_caches) {
  Result result(dst, past_caches);
  KeptRows rows(src, row_bytes, keep), ahead(src, row_bytes, keep);
  const auto prefetch = [&](int64_t bytes) {
    while (bytes > 0) {
      const auto next = ahead.Next(bytes);
      if (next.empty()) return;
      Prefetch(next.data(), std::ssize(next));
      bytes -= std::ssize(next);
    }
  };
  prefetch(kAhead);
  for (;;) {
    const auto next = rows.Next(kBatchBytes);
    if (next.empty()) return;
    prefetch(std::ssize(next));
    result.Append(next.data(), std::ssize(next));
  }
}

// Each step the front of its window; what is too much is overwritten by the next.
std::byte* CopyRuns(const std::byte* row, const GatherStep* steps, const uint8_t*, int64_t count, std::byte* out) {
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(out, row + steps[i].from, 16);
    out += steps[i].bytes;
  }
  return out;
}

// How to move a row's items; nothing moves items that are too large or rows that are too short.
Gather Choose(int64_t row_bytes, int64_t item_bytes, std::span<const uint32_t> keep) {
  const Kernels& kernels = ActiveKernels();
  const auto fits = [&](const Gather& gather) {
    const bool whole_units = gather.unit == 0 || item_bytes % gather.unit == 0;
    return item_bytes > 0 && item_bytes <= gather.vector && gather.window <= row_bytes && whole_units;
  };
  if (fits(kernels.gather_wide)) return kernels.gather_wide;
  int64_t runs = 0;
  for (int64_t i = 0; i < std::ssize(keep); i += RunLength(keep, i)) ++runs;
  const bool short_runs = std::ssize(keep) * item_bytes < runs * kernels.gather_narrow.window;
  if (short_runs && fits(kernels.gather_narrow)) return kernels.gather_narrow;
  constexpr Gather kRuns{16, 16, 0, CopyRuns};
  return fits(kRuns) ? kRuns : Gather{};
}

}  // namespace

void SliceRows(const std::byte* src, int64_t row_bytes, std::span<const uint32_t> keep, std::byte* dst) {
  if (row_bytes > 0) CopyRows(src, row_bytes, keep, dst, false);
}

void SliceRows(const Job& job, const std::byte* src, int64_t row_bytes, std::span<const uint32_t> keep, std::byte* dst) {
  if (row_bytes == 0) return;
  const int64_t count = static_cast<int64_t>(keep.size()), step = std::max<int64_t>(1, kTaskBytes / row_bytes);
  const bool past_caches = count * row_bytes >= kPastCaches;
  job.Parallel((count + step - 1) / step, [&](int64_t task) {
    const int64_t first = task * step;
    CopyRows(src, row_bytes, keep.subspan(first, std::min(step, count - first)), dst + first * row_bytes, past_caches);
  });
}

ColumnSlicer::ColumnSlicer(int64_t columns, int64_t item_bytes, std::span<const uint32_t> keep)
    : row_bytes_(columns * item_bytes), kept_bytes_(std::ssize(keep) * item_bytes), gather_(Choose(row_bytes_, item_bytes, keep)) {
  const int64_t count = static_cast<int64_t>(keep.size()), window = gather_.window, vector = gather_.vector, unit = gather_.unit;
  for (int64_t i = 0, end; i < count; i = end) {
    const int64_t begin = keep[i] * item_bytes;
    end = i + 1;
    if (unit > 0) {
      // The last windows begin earlier, not to end past the row.
      const int64_t from = std::min(begin, row_bytes_ - window);
      const int64_t most = std::min(count, i + vector / item_bytes);
      while (end < most && (keep[end] + 1) * item_bytes <= from + window) ++end;
      for (int64_t j = i; j < end; ++j) {
        const int64_t place = keep[j] * item_bytes - from;
        for (int64_t k = 0; k < item_bytes; k += unit) patterns_.push_back(static_cast<uint8_t>((place + k) / unit));
      }
      steps_.push_back({from, (end - i) * item_bytes});
      patterns_.resize(steps_.size() * (vector / unit));
      gathers_ = steps_.size();
    } else {
      const bool fits = window > 0 && begin + window <= row_bytes_;
      end = i + RunLength(keep.first(fits ? std::min(count, i + window / item_bytes) : count), i);
      steps_.push_back({begin, (end - i) * item_bytes});
      if (fits) gathers_ = steps_.size();
    }
  }
}

template <typename Place>
void ColumnSlicer::Slice(int64_t rows, Place place, std::byte* dst, bool past_caches) const {
  Result result(dst, past_caches);
  const int64_t batch = gather_.vector > 0 ? kBatchBytes / gather_.vector : 1;
  const int64_t pattern_bytes = gather_.unit > 0 ? gather_.vector / gather_.unit : 0;
  for (int64_t row = 0; row < rows; ++row) {
    const std::byte* from = place(row);
    for (int64_t i = 0; i < gathers_; i += batch) {
      const int64_t count = std::min(batch, gathers_ - i);
      const GatherStep* steps = steps_.data() + i;
      std::byte* room = result.room();
      result.Advance(gather_.run(from, steps, patterns_.data() + i * pattern_bytes, count, room) - room);
    }
    for (size_t i = gathers_; i < steps_.size(); ++i) {
      for (int64_t done = 0; done < steps_[i].bytes; done += kBatchBytes) {
        const std::byte* next = from + steps_[i].from + done;
        const int64_t count = std::min(kBatchBytes, steps_[i].bytes - done);
        result.Append(next, count);
      }
    }
  }
}

void ColumnSlicer::Slice(const std::byte* src, int64_t rows, std::byte* dst) const {
  Slice(rows, [&](int64_t row) { return src + row * row_bytes_; }, dst, false);
}

void ColumnSlicer::Slice(const std::byte* src, std::span<const uint32_t> keep_rows, std::byte* dst) const {
  Slice(static_cast<int64_t>(keep_rows.size()), [&](int64_t row) { return src + keep_rows[row] * row_bytes_; }, dst, false);
}

void SliceColumns(const std::byte* src, int64_t rows, int64_t columns, int64_t item_bytes, std::span<const uint32_t> keep,
                  std::byte* dst) {
  ColumnSlicer(columns, item_bytes, keep).Slice(src, rows, dst);
}

void SliceColumns(const Job& job, const std::byte* src, int64_t rows, int64_t columns, int64_t item_bytes, std::span<const uint32_t> keep,
                  std::byte* dst) {
  const ColumnSlicer slicer(columns, item_bytes, keep);
  const int64_t kept = slicer.kept_bytes(), step = std::max<int64_t>(1, kTaskBytes / std::max<int64_t>(1, kept));
  const bool past_caches = rows * kept >= kPastCaches;
  job.Parallel((rows + step - 1) / step, [&](int64_t task) {
    const int64_t first = task * step, row_bytes = slicer.row_bytes();
    const auto place = [&](int64_t row) { return src + (first + row) * row_bytes; };
    slicer.Slice(std::min(step, rows - first), place, dst + first * kept, past_caches);
  });
}

}  // namespace flab
