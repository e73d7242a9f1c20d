#include <cmath>

#include "backend/conformance/conformance.h"

namespace flab::conformance {
namespace {

using testing::Random;

// Numbers of all sizes.
std::vector<float> Values(Random& random, int64_t count) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(random.Normal() * std::pow(2, random.Below(12) - 8)));
  return values;
}

// Sums of n numbers of one sign in doubles, each rounded by 2^-53 on its way at most n times.
double Tolerance(int64_t n, double sum) { return static_cast<double>(n) * 0x1p-53 * sum; }

TEST("backend: squares of rows and columns are those of long doubles, in every dtype and shape") {
  Random random(1);
  for (const int32_t dtype : {FLAB_F32, FLAB_F16, FLAB_BF16}) {
    for (const int64_t rows : {1, 2, 8, 9, 31, 33, 130}) {
      for (const int64_t columns : {1, 31, 32, 33, 100, 513}) {
        const Numbers matrix = Round(Values(random, rows * columns), dtype);
        const Memory memory = ToDevice(matrix), of_rows(rows * 8), of_columns(columns * 8);
        Expect(Backend().row_squares(Device(), memory.data(), dtype, rows, columns, of_rows.as<double>()), "row_squares");
        Expect(Backend().column_squares(Device(), memory.data(), dtype, rows, columns, of_columns.as<double>()), "column_squares");
        std::vector<long double> row_sums(rows), column_sums(columns);
        for (int64_t i = 0; i < rows * columns; ++i) {
          const long double square = static_cast<long double>(matrix.values[i]) * matrix.values[i];
          row_sums[i / columns] += square, column_sums[i % columns] += square;
        }
        const std::vector<double> got_rows = FromDevice<double>(of_rows.data(), rows), got_columns = FromDevice<double>(of_columns.data(), columns);
        for (int64_t i = 0; i < rows; ++i) {
          const double expected = static_cast<double>(row_sums[i]);
          EXPECT(testing::Near(got_rows[i], expected, Tolerance(columns, expected)), rows, " rows of ", columns, ", row ", i, ": ", got_rows[i], ", expected ", expected);
        }
        for (int64_t i = 0; i < columns; ++i) {
          const double expected = static_cast<double>(column_sums[i]);
          EXPECT(testing::Near(got_columns[i], expected, Tolerance(rows, expected)), rows, " rows, column ", i, " of ", columns, ": ", got_columns[i], ", expected ", expected);
        }
      }
    }
  }
}

TEST("backend: cosines are those of long doubles, 1 for zeros, and never beyond 1") {
  Random random(2);
  for (const int64_t width : {1, 31, 32, 33, 576}) {
    constexpr int64_t kRows = 17;
    std::vector<float> a = random.Normals(kRows * width), b = random.Normals(kRows * width);
    for (int64_t i = 0; i < width; ++i) {
      a[1 * width + i] = 0;
      b[2 * width + i] = 0;
      b[3 * width + i] = a[3 * width + i];
      b[4 * width + i] = -3 * a[4 * width + i];
      a[5 * width + i] *= 1e-30f, b[5 * width + i] *= 1e30f;
    }
    a[6 * width] = NAN;
    const Memory device_a = ToDevice(a), device_b = ToDevice(b), cosines(kRows * 8);
    Expect(Backend().cosines(Device(), device_a.as<float>(), device_b.as<float>(), kRows, width, cosines.as<double>()), "cosines");
    const std::vector<double> got = FromDevice<double>(cosines.data(), kRows);
    for (int64_t row = 0; row < kRows; ++row) {
      long double ab = 0, aa = 0, bb = 0;
      for (int64_t i = row * width; i < (row + 1) * width; ++i) ab += static_cast<long double>(a[i]) * b[i], aa += static_cast<long double>(a[i]) * a[i], bb += static_cast<long double>(b[i]) * b[i];
      const double expected = aa == 0 || bb == 0 ? 1 : static_cast<double>(ab / (std::sqrt(aa) * std::sqrt(bb)));
      // Products of both signs: each sum is off by so much of sum |ab|, which is sqrt(aa bb) at most; and 6 roundings follow.
      EXPECT(testing::Near(got[row], expected, static_cast<double>(2 * width + 6) * 0x1p-53), "width ", width, ", row ", row, ": ", got[row], ", expected ", expected);
      EXPECT(!(std::fabs(got[row]) > 1), got[row]);
    }
  }
}

TEST("backend: squares and cosines of nothing are zero, 1, or not there") {
  const Memory memory(64);
  Expect(Backend().row_squares(Device(), memory.data(), FLAB_F32, 0, 4, memory.as<double>()), "row_squares");
  Expect(Backend().column_squares(Device(), memory.data(), FLAB_BF16, 4, 0, memory.as<double>()), "column_squares");
  Expect(Backend().cosines(Device(), memory.as<float>(), memory.as<float>(), 0, 4, memory.as<double>()), "cosines");
  Expect(Backend().row_squares(Device(), memory.data(), FLAB_F16, 1, 0, memory.as<double>()), "row_squares");
  Expect(Backend().column_squares(Device(), memory.data(), FLAB_F32, 0, 1, memory.as<double>() + 1), "column_squares");
  Expect(Backend().cosines(Device(), memory.as<float>(), memory.as<float>(), 1, 0, memory.as<double>() + 2), "cosines");
  EXPECT(FromDevice<double>(memory.data(), 3) == (std::vector<double>{0, 0, 1}));
}

}  // namespace
}  // namespace flab::conformance
