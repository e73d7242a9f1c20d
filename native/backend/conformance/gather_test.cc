#include <algorithm>
#include <numeric>

#include "backend/conformance/conformance.h"

namespace flab::conformance {
namespace {

constexpr int64_t kMargin = 48;  // bytes before and after the output, which stay as they are

using Bytes = std::vector<uint8_t>;

Bytes RandomBytes(int64_t count) {
  testing::Random random(static_cast<uint32_t>(count));
  Bytes bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.Bits());
  return bytes;
}

// Indices below `limit` in no order, some twice.
std::vector<uint32_t> Unsorted(int64_t limit, int64_t count) {
  testing::Random random(7);
  std::vector<uint32_t> indices(count);
  for (uint32_t& index : indices) index = static_cast<uint32_t>(random.Below(limit));
  return indices;
}

// Each once, in no order.
std::vector<uint32_t> Shuffled(int64_t limit, int64_t count) {
  std::vector<uint32_t> all(limit);
  std::iota(all.begin(), all.end(), 0);
  testing::Random random(8);
  for (int64_t i = limit - 1; i > 0; --i) std::swap(all[i], all[random.Below(i + 1)]);
  all.resize(count);
  return all;
}

// What `fill` writes to bytes of the device at `offset`, margins included.
template <typename Fill>
Bytes Filled(int64_t offset, const Bytes& before, Fill fill) {
  Bytes with_margins(kMargin + offset, 0x5a);
  with_margins.insert(with_margins.end(), before.begin(), before.end());
  with_margins.insert(with_margins.end(), kMargin, 0x5a);
  const Memory memory = ToDevice(with_margins);
  fill(memory.as<uint8_t>() + kMargin + offset);
  const Bytes after = FromDevice<uint8_t>(memory.data(), static_cast<int64_t>(with_margins.size()));
  const auto begin = after.begin() + kMargin + offset, end = after.end() - kMargin;
  const auto is_margin = [](uint8_t byte) { return byte == 0x5a; };
  EXPECT(std::all_of(after.begin(), begin, is_margin) && std::all_of(end, after.end(), is_margin), "wrote beside the output");
  return {begin, end};
}

int64_t FirstDifference(const Bytes& got, const Bytes& expected) {
  return std::mismatch(got.begin(), got.end(), expected.begin(), expected.end()).first - got.begin();
}

struct Rows {
  int64_t row_bytes, rows;  // of the larger matrix
  std::vector<uint32_t> keep;
  int64_t from_offset, to_offset;  // bytes by which the matrices are not aligned
};

void CheckRows(const Rows& c, bool scatter) {
  const int64_t count = static_cast<int64_t>(c.keep.size());
  const Bytes from = RandomBytes((scatter ? count : c.rows) * c.row_bytes + c.from_offset);
  Bytes expected((scatter ? c.rows : count) * c.row_bytes, 0x11);
  const Memory device_from = ToDevice(from), keep = ToDevice(c.keep);
  const Bytes got = Filled(c.to_offset, expected, [&](uint8_t* to) {
    const auto call = scatter ? Backend().scatter_rows : Backend().gather_rows;
    Expect(call(Device(), device_from.as<uint8_t>() + c.from_offset, c.row_bytes, keep.as<uint32_t>(), count, to), "rows");
  });
  for (int64_t i = 0; i < count; ++i) {
    const int64_t source = scatter ? i : c.keep[i], target = scatter ? c.keep[i] : i;
    std::copy_n(from.begin() + c.from_offset + source * c.row_bytes, c.row_bytes, expected.begin() + target * c.row_bytes);
  }
  EXPECT(got == expected, "rows of ", c.row_bytes, " bytes, ", count, " of ", c.rows, ", offsets ", c.from_offset, " and ", c.to_offset, ": differ at byte ",
         FirstDifference(got, expected));
}

TEST("backend: gather_rows and scatter_rows copy rows of any size, at any alignment, in any order, and nothing else") {
  // A row of one unit and of a unit more than a thread, a warp and a block take; units of 16, 8, 4, 2 and 1 bytes.
  for (const int64_t row_bytes : {16, 80, 528, 8192, 16400, 40016, 24, 1032, 20, 10, 1, 33, 1025, 2050}) {
    CheckRows({row_bytes, 37, Unsorted(37, 29), 0, 0}, false);
    CheckRows({row_bytes, 37, Shuffled(37, 29), 0, 0}, true);
  }
  for (const int64_t offset : {1, 2, 4, 8}) {
    CheckRows({64, 20, Unsorted(20, 20), offset, 0}, false);
    CheckRows({64, 20, Shuffled(20, 20), 0, offset}, true);
    CheckRows({64, 20, Shuffled(20, 20), offset, offset}, true);
  }
  CheckRows({16, 3000, Unsorted(3000, 2500), 0, 0}, false);
  CheckRows({8192, 1, {0}, 0, 0}, true);
}

struct Columns {
  int64_t item_bytes, rows, columns;
  std::vector<uint32_t> keep;
  int64_t from_offset, to_offset;  // items by which the matrices are not aligned
};

void CheckColumns(const Columns& c) {
  const int64_t item = c.item_bytes, count = static_cast<int64_t>(c.keep.size());
  const Bytes from = RandomBytes((c.rows * c.columns + c.from_offset) * item);
  Bytes expected(c.rows * count * item, 0x11);
  const Memory device_from = ToDevice(from), keep = ToDevice(c.keep);
  const Bytes got = Filled(c.to_offset * item, expected, [&](uint8_t* to) {
    Expect(Backend().gather_columns(Device(), device_from.as<uint8_t>() + c.from_offset * item, c.rows, c.columns, static_cast<int32_t>(item), keep.as<uint32_t>(),
                                    count, to),
           "gather_columns");
  });
  for (int64_t r = 0; r < c.rows; ++r) {
    for (int64_t i = 0; i < count; ++i) {
      std::copy_n(from.begin() + (c.from_offset + r * c.columns + c.keep[i]) * item, item, expected.begin() + (r * count + i) * item);
    }
  }
  EXPECT(got == expected, "items of ", item, " bytes, ", c.rows, " rows, ", count, " of ", c.columns, " columns, offsets ", c.from_offset, " and ", c.to_offset,
         ": differ at byte ", FirstDifference(got, expected));
}

std::vector<uint32_t> EverySecond(int64_t columns) {
  std::vector<uint32_t> keep;
  for (int64_t i = 1; i < columns; i += 2) keep.push_back(static_cast<uint32_t>(i));
  return keep;
}

TEST("backend: gather_columns keeps columns in any order, of items of any size, at any alignment, and writes nothing else") {
  testing::Random random(3);
  for (const int64_t item : {1, 2, 4, 8}) {
    for (const int64_t columns : {1, 7, 1029, 2048}) {
      for (const auto& keep : {random.Indices(columns, 0.95), random.Indices(columns, 0.1), EverySecond(columns), Unsorted(columns, columns / 2 + 1)}) {
        CheckColumns({item, 9, columns, keep, 0, 0});
      }
    }
    for (const int64_t offset : {1, 2, 3}) {
      CheckColumns({item, 2, 640, Shuffled(640, 600), offset, 0});
      CheckColumns({item, 2, 640, random.Indices(640, 0.9), offset, offset});
    }
  }
}

TEST("backend: gather_columns of more rows than a block takes, and of rows that share no line of memory") {
  testing::Random random(4);
  CheckColumns({2, 100, 96, random.Indices(96, 0.8), 0, 0});
  CheckColumns({2, 71, 37, random.Indices(37, 0.8), 0, 0});
  CheckColumns({8, 65, 2, {1}, 0, 0});
  // An FFN of a 7B model.
  std::vector<uint32_t> keep = Shuffled(13440, 13184);
  CheckColumns({2, 9, 13440, keep, 0, 0});
  std::sort(keep.begin(), keep.end());
  CheckColumns({2, 9, 13440, keep, 0, 0});
}

TEST("backend: gather_columns of rows that are wider than shared memory, dense, sparse and in no order") {
  testing::Random random(5);
  const int64_t columns = 70001;
  CheckColumns({1, 2, columns, random.Indices(columns, 0.97), 0, 0});
  CheckColumns({2, 2, columns, random.Indices(columns, 0.5), 1, 0});
  CheckColumns({2, 2, columns, random.Indices(columns, 0.01), 0, 1});
  CheckColumns({4, 2, columns, Shuffled(columns, 20000), 0, 0});
  CheckColumns({8, 2, 20000, random.Indices(20000, 0.9), 0, 0});
  CheckColumns({1, 2, columns, Shuffled(columns, 40000), 0, 0});
  // As wide as shared memory, and one byte wider, where rows begin at the end of a line.
  for (const uint32_t last : {49136u, 49137u}) {
    std::vector<uint32_t> keep;
    for (uint32_t i = 0; i < 1023; ++i) keep.push_back(48 * i);
    keep.push_back(last);
    CheckColumns({1, 8, 70000, keep, 15, 0});
  }
  // All that the threads of a block can hold, and one more.
  CheckColumns({1, 1, 16385, Shuffled(16385, 16384), 0, 0});
  CheckColumns({1, 1, 16385, Shuffled(16385, 16385), 0, 0});
}

TEST("backend: gathering nothing is legal, items of 3 bytes are not") {
  const Memory memory(64);
  uint8_t* bytes = memory.as<uint8_t>();
  const uint32_t* keep = memory.as<uint32_t>();
  Expect(Backend().gather_rows(Device(), bytes, 0, keep, 3, bytes), "rows of no bytes");
  Expect(Backend().gather_rows(Device(), bytes, 16, keep, 0, bytes), "no rows");
  Expect(Backend().scatter_rows(Device(), bytes, 16, keep, 0, bytes), "no rows");
  Expect(Backend().gather_columns(Device(), bytes, 0, 4, 2, keep, 2, bytes), "no rows");
  Expect(Backend().gather_columns(Device(), bytes, 4, 4, 2, keep, 0, bytes), "no columns");
  EXPECT(Backend().gather_columns(Device(), bytes, 1, 4, 3, keep, 1, bytes) == FLAB_BAD_CALL);
  EXPECT(Backend().gather_columns(Device(), bytes + 1, 1, 4, 2, keep, 1, bytes) == FLAB_BAD_CALL);
}

}  // namespace
}  // namespace flab::conformance
