// Sums over rows and columns against sums in long doubles.

#include <cmath>
#include <cstring>
#include <vector>

#include "base/dtype.h"
#include "base/testing.h"
#include "cpu/kernels.h"

namespace flab {
namespace {

using testing::Random;

// Rows that are `stride` elements apart and start at an odd address.
struct Matrix {
  Matrix(Random& random, Dtype dtype, int64_t rows, int64_t columns, int64_t stride)
      : dtype(dtype), rows(rows), columns(columns), stride(stride), values(rows * stride), bytes(1 + rows * stride * ItemBytes(dtype)) {
    for (int64_t i = 0; i < rows * stride; ++i) {
      // Of all sizes: subnormal halves too.
      const float value = static_cast<float>(random.Normal() * std::pow(2, random.Below(20) - 18));
      const uint16_t half = dtype == Dtype::kBF16 ? ToBF16(value) : static_cast<uint16_t>(random.Below(0x5000) + 0x8000 * random.Below(2));
      values[i] = dtype == Dtype::kF32 ? value : dtype == Dtype::kBF16 ? FromBF16(half) : FromF16(half);
      std::memcpy(&bytes[1 + i * ItemBytes(dtype)], dtype == Dtype::kF32 ? static_cast<const void*>(&value) : &half, ItemBytes(dtype));
    }
  }
  const std::byte* at(int64_t row, int64_t column = 0) const { return bytes.data() + 1 + (row * stride + column) * ItemBytes(dtype); }
  double value(int64_t row, int64_t column) const { return values[row * stride + column]; }

  Dtype dtype;
  int64_t rows, columns, stride;
  std::vector<float> values;
  std::vector<std::byte> bytes;
};

// One more than the columns, which nothing may be written to.
struct Sums {
  explicit Sums(int64_t columns) : sum(columns + 1, 0.5), sum_abs(columns + 1, 0.5), squares(columns + 1, 0.5) {}
  void Add(const Matrix& m, int64_t row, int64_t rows) {
    ActiveKernels().sum_neurons(m.dtype, m.at(row), m.stride, rows, m.columns, sum.data(), sum_abs.data(), squares.data());
  }
  bool operator==(const Sums&) const = default;
  std::vector<double> sum, sum_abs, squares;
};

constexpr Dtype kDtypes[] = {Dtype::kF32, Dtype::kF16, Dtype::kBF16};
constexpr int64_t kRowCounts[] = {0, 1, 2, 15, 16, 17, 33, 100};
constexpr int64_t kColumnCounts[] = {0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 257};

TEST("columns are added to sums of values, magnitudes and squares in any dtype and shape") {
  Random random(1);
  for (const Dtype dtype : kDtypes) {
    for (const int64_t rows : kRowCounts) {
      for (const int64_t columns : kColumnCounts) {
        const Matrix m(random, dtype, rows, columns, columns + random.Below(5));
        Sums sums(columns);
        sums.Add(m, 0, rows);
        std::vector<double> squares(columns + 1, 0.5);
        ActiveKernels().sum_column_squares(dtype, m.at(0), m.stride, rows, columns, squares.data());
        for (int64_t j = 0; j < columns; ++j) {
          long double sum = 0.5L, sum_abs = 0.5L, sum_squares = 0.5L;
          for (int64_t i = 0; i < rows; ++i) {
            const long double x = m.value(i, j);
            sum += x, sum_abs += std::fabs(x), sum_squares += x * x;
          }
          // Doubles round by 2^-53 at each row; halves are first summed in f32, which rounds by 2^-24 at each of kRunRows.
          const double exact = 0x1p-53 * static_cast<double>(rows), near = dtype == Dtype::kF32 ? exact : exact + 0x1p-24 * kRunRows;
          EXPECT(testing::Near(sums.sum[j], static_cast<double>(sum), near * static_cast<double>(sum_abs)), rows, " rows, column ", j, " of ", columns);
          EXPECT(testing::Near(sums.sum_abs[j], static_cast<double>(sum_abs), near * static_cast<double>(sum_abs)), rows, " rows, column ", j, " of ", columns);
          EXPECT(testing::Near(sums.squares[j], static_cast<double>(sum_squares), exact * static_cast<double>(sum_squares)), rows, " rows, column ", j, " of ", columns);
          EXPECT(testing::Near(squares[j], static_cast<double>(sum_squares), exact * static_cast<double>(sum_squares)), rows, " rows, column ", j, " of ", columns);
        }
        EXPECT(sums.sum[columns] == 0.5 && sums.sum_abs[columns] == 0.5 && sums.squares[columns] == 0.5 && squares[columns] == 0.5, "written past the end");
      }
    }
  }
}

TEST("rows that come in parts give the same bits") {
  Random random(2);
  for (const Dtype dtype : kDtypes) {
    const Matrix m(random, dtype, 211, 70, 71);
    Sums whole(m.columns), parts(m.columns);
    whole.Add(m, 0, m.rows);
    for (int64_t row = 0; row < m.rows;) {
      const int64_t count = std::min(m.rows - row, dtype == Dtype::kF32 ? random.Below(40) : kRunRows * random.Below(3));
      parts.Add(m, row, count);
      row += count;
    }
    EXPECT(whole == parts);
  }
}

TEST("the squares of a row are summed in any dtype and length") {
  Random random(3);
  for (const Dtype dtype : kDtypes) {
    for (const int64_t columns : {0, 1, 3, 15, 16, 17, 31, 32, 33, 64, 100, 1001}) {
      const Matrix m(random, dtype, 1, columns, columns);
      long double expected = 0;
      for (int64_t j = 0; j < columns; ++j) expected += static_cast<long double>(m.value(0, j)) * m.value(0, j);
      const double got = ActiveKernels().sum_squares(dtype, m.at(0), columns);
      EXPECT(testing::Near(got, static_cast<double>(expected), 0x1p-53 * static_cast<double>(columns) * static_cast<double>(expected)), columns, " columns: ", got);
    }
  }
}

TEST("infinities and NaN stay in their column's sums") {
  for (const Dtype dtype : kDtypes) {
    const float infinity = -INFINITY, nan = NAN;
    std::vector<std::byte> row(40 * ItemBytes(dtype));
    const uint16_t halves[] = {static_cast<uint16_t>(dtype == Dtype::kF16 ? 0xfc00 : 0xff80), static_cast<uint16_t>(dtype == Dtype::kF16 ? 0x7e00 : 0x7fc0)};
    for (const int64_t j : {int64_t{2}, int64_t{37}}) {
      std::memcpy(&row[j * ItemBytes(dtype)], dtype == Dtype::kF32 ? static_cast<const void*>(&infinity) : &halves[0], ItemBytes(dtype));
      std::memcpy(&row[(j + 1) * ItemBytes(dtype)], dtype == Dtype::kF32 ? static_cast<const void*>(&nan) : &halves[1], ItemBytes(dtype));
    }
    std::vector<double> sum(40), sum_abs(40), squares(40);
    ActiveKernels().sum_neurons(dtype, row.data(), 40, 1, 40, sum.data(), sum_abs.data(), squares.data());
    for (int64_t j = 0; j < 40; ++j) {
      const bool infinite = j == 2 || j == 37, undefined = j == 3 || j == 38;
      EXPECT(testing::Near(sum[j], undefined ? NAN : infinite ? -INFINITY : 0, 0), "column ", j, ": ", sum[j]);
      EXPECT(testing::Near(sum_abs[j], undefined ? NAN : infinite ? INFINITY : 0, 0), "column ", j, ": ", sum_abs[j]);
      EXPECT(testing::Near(squares[j], undefined ? NAN : infinite ? INFINITY : 0, 0), "column ", j, ": ", squares[j]);
    }
  }
}

}  // namespace
}  // namespace flab
