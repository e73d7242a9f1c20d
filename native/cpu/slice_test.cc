#include "cpu/slice.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/testing.h"

namespace flab {
namespace {

using testing::Random;

constexpr int64_t kItemBytes[] = {1, 2, 3, 4, 8, 16};

std::vector<std::byte> RandomBytes(Random& random, int64_t count) {
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.Bits());
  return bytes;
}

// Nothing, everything, scattered, one long run, long runs with holes, the ends.
std::vector<std::vector<uint32_t>> Keeps(Random& random, int64_t limit) {
  std::vector<std::vector<uint32_t>> keeps = {{}, random.Indices(limit, 1), random.Indices(limit, 0.5), random.Indices(limit, 0.02), random.Indices(limit, 0.97)};
  if (limit > 0) keeps.push_back({static_cast<uint32_t>(limit - 1)});
  if (limit > 2) keeps.push_back({0, static_cast<uint32_t>(limit - 1)});
  std::vector<uint32_t> run;
  for (int64_t i = limit / 3; i < limit * 2 / 3; ++i) run.push_back(static_cast<uint32_t>(i));
  keeps.push_back(run);
  return keeps;
}

TEST("kept rows are copied in order, and nothing past them") {
  Random random(1);
  for (const int64_t rows : {0, 1, 2, 7, 64, 211}) {
    for (const int64_t row_bytes : {1, 3, 8, 65}) {
      const std::vector<std::byte> source = RandomBytes(random, rows * row_bytes + 1);
      for (const auto& keep : Keeps(random, rows)) {
        std::vector<std::byte> expected, got(keep.size() * row_bytes + 1, std::byte{77});
        for (const uint32_t row : keep) expected.insert(expected.end(), &source[row * row_bytes], &source[row * row_bytes] + row_bytes);
        expected.push_back(std::byte{77});
        SliceRows(source.data(), row_bytes, keep, got.data());
        EXPECT(got == expected, keep.size(), " of ", rows, " rows of ", row_bytes, " bytes");
      }
    }
  }
}

TEST("kept columns are copied in order, at every size of items, from any byte") {
  Random random(2);
  for (const int64_t item_bytes : kItemBytes) {
    for (const int64_t columns : {1, 2, 9, 64, 301}) {
      for (const int64_t rows : {0, 1, 5}) {
        const std::vector<std::byte> memory = RandomBytes(random, 1 + rows * columns * item_bytes + 1);
        const std::byte* source = memory.data() + 1;  // off any alignment
        for (const auto& keep : Keeps(random, columns)) {
          std::vector<std::byte> expected, got(rows * keep.size() * item_bytes + 1, std::byte{77});
          for (int64_t row = 0; row < rows; ++row) {
            for (const uint32_t column : keep) {
              for (int64_t byte = 0; byte < item_bytes; ++byte) expected.push_back(source[(row * columns + column) * item_bytes + byte]);
            }
          }
          expected.push_back(std::byte{77});
          SliceColumns(source, rows, columns, item_bytes, keep, got.data());
          EXPECT(got == expected, keep.size(), " of ", columns, " columns of ", item_bytes, " bytes, ", rows, " rows");
        }
      }
    }
  }
}

// The columns of one row, item by item.
void AppendColumns(const std::byte* row, int64_t item_bytes, const std::vector<uint32_t>& keep, std::vector<std::byte>& out) {
  for (const uint32_t column : keep) out.insert(out.end(), row + column * item_bytes, row + (column + 1) * item_bytes);
}

TEST("rows and columns of one matrix are kept at once") {
  Random random(3);
  const int64_t rows = 23;
  for (const int64_t item_bytes : kItemBytes) {
    for (const int64_t columns : {1, 5, 33, 200}) {
      const std::vector<std::byte> source = RandomBytes(random, rows * columns * item_bytes);
      for (const auto& keep_rows : Keeps(random, rows)) {
        for (const auto& keep : Keeps(random, columns)) {
          const ColumnSlicer slicer(columns, item_bytes, keep);
          std::vector<std::byte> expected, got(keep_rows.size() * slicer.kept_bytes() + 1, std::byte{77});
          for (const uint32_t row : keep_rows) AppendColumns(&source[row * slicer.row_bytes()], item_bytes, keep, expected);
          expected.push_back(std::byte{77});
          slicer.Slice(source.data(), keep_rows, got.data());
          EXPECT(got == expected, keep_rows.size(), " rows, ", keep.size(), " of ", columns, " columns of ", item_bytes, " bytes");
        }
      }
    }
  }
}

TEST("slices on all threads are the same, below and above the size from which they go past the caches, to any address") {
  Random random(4);
  const Job job;
  for (const int64_t item_bytes : kItemBytes) {
    for (const int64_t rows : {300, 3000}) {
      if (rows == 3000 && item_bytes > 3) continue;  // time
      const int64_t columns = (rows == 300 ? 2011 : 6007) / item_bytes;
      const std::vector<std::byte> source = RandomBytes(random, rows * columns * item_bytes);
      for (const double share : {0.3, 0.9}) {
        const auto keep_rows = random.Indices(rows, share), keep = random.Indices(columns, share);
        for (const int64_t off : {0, 1, 63}) {
          std::vector<std::byte> expected(off, std::byte{77}), got;
          for (const uint32_t row : keep_rows) {
            const std::byte* from = &source[row * columns * item_bytes];
            expected.insert(expected.end(), from, from + columns * item_bytes);
          }
          expected.push_back(std::byte{77});
          got.assign(expected.size(), std::byte{77});
          SliceRows(job, source.data(), columns * item_bytes, keep_rows, got.data() + off);
          EXPECT(got == expected, keep_rows.size(), " of ", rows, " rows of ", columns * item_bytes, " bytes to ", off);

          expected.assign(off, std::byte{77});
          for (int64_t row = 0; row < rows; ++row) AppendColumns(&source[row * columns * item_bytes], item_bytes, keep, expected);
          expected.push_back(std::byte{77});
          got.assign(expected.size(), std::byte{77});
          SliceColumns(job, source.data(), rows, columns, item_bytes, keep, got.data() + off);
          EXPECT(got == expected, keep.size(), " of ", columns, " columns of ", item_bytes, " bytes, ", rows, " rows to ", off);
        }
      }
    }
  }
}

TEST("nothing before or after the matrix is read") {
  // Between pages that can't be read. An ending anywhere else would not show.
  const int64_t page = sysconf(_SC_PAGESIZE);
  auto* memory = static_cast<std::byte*>(mmap(nullptr, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK(memory != MAP_FAILED);
  mprotect(memory, page, PROT_NONE);
  mprotect(memory + 2 * page, page, PROT_NONE);
  Random random(5);
  for (int64_t i = 0; i < page; ++i) memory[page + i] = static_cast<std::byte>(random.Bits());
  for (const int64_t item_bytes : kItemBytes) {
    for (int64_t columns = 1; columns * item_bytes <= 300; ++columns) {
      const int64_t rows = 3, bytes = rows * columns * item_bytes;
      for (const std::byte* source : {memory + page, memory + 2 * page - bytes}) {
        for (const auto& keep : Keeps(random, columns)) {
          std::vector<std::byte> expected, got(rows * keep.size() * item_bytes);
          for (int64_t row = 0; row < rows; ++row) AppendColumns(source + row * columns * item_bytes, item_bytes, keep, expected);
          SliceColumns(source, rows, columns, item_bytes, keep, got.data());
          EXPECT(got == expected, keep.size(), " of ", columns, " columns of ", item_bytes, " bytes");
        }
      }
    }
  }
  munmap(memory, 3 * page);
}

TEST("offsets past 4 GB are not cut to 32 bits") {
  // Addresses only: rows of 2^33 bytes of which none is kept, and 64-bit products of row and size.
  const std::byte nothing{};
  std::byte out{7};
  SliceRows(&nothing, int64_t{1} << 33, {}, &out);
  SliceColumns(&nothing, 0, int64_t{1} << 33, 8, {}, &out);
  EXPECT(out == std::byte{7});
}

}  // namespace
}  // namespace flab
