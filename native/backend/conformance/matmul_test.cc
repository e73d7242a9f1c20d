#include <cmath>
#include <cstdlib>
#include <limits>

#include "backend/conformance/conformance.h"

namespace flab::conformance {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Rows of numbers with gaps between them and before the first; all that does not belong to the matrix is NaN, and after the last row
// nothing comes.
struct Matrix {
  int64_t rows, width, gap, before;
  Numbers numbers;
  Memory memory;

  Matrix(testing::Random& random, int64_t row_count, int64_t row_width, int64_t gap_width, int64_t offset, int32_t dtype)
      : rows(row_count), width(row_width), gap(gap_width), before(offset), numbers(Round(Fill(random), dtype)), memory(ToDevice(numbers)) {}
  int64_t stride() const { return width + gap; }
  const double* row(int64_t i) const { return &numbers.values[before + i * stride()]; }
  void* data() const { return memory.as<char>() + before * (numbers.dtype == FLAB_F32 ? 4 : 2); }

 private:
  std::vector<float> Fill(testing::Random& random) const {
    std::vector<float> values(before + (rows > 0 ? (rows - 1) * stride() + width : 0), kNaN);
    for (int64_t i = 0; i < rows; ++i) {
      // Every seventh number is a thousand times as large as the others.
      for (int64_t k = 0; k < width; ++k) values[before + i * stride() + k] = static_cast<float>(random.Normal() * (random.Below(7) == 0 ? 1000 : 1));
    }
    return values;
  }
};

struct Case {
  int64_t rows, columns, depth;
  int32_t dtype;
  int64_t a_gap = 0, weights_gap = 0, out_gap = 0;
  int64_t before = 0;  // numbers of each matrix's memory before the first row
  bool accumulate = false;
};

struct Product {
  explicit Product(const Case& c)
      : a(random, c.rows, c.depth, c.a_gap, c.before, c.dtype),
        weights(random, c.columns, c.depth, c.weights_gap, c.before, c.dtype),
        out(random, c.rows, c.columns, c.out_gap, c.before, FLAB_F32),
        accumulate(c.accumulate) {}

  FlabMatmul call() const {
    return {.a = a.data(), .weights = weights.data(), .out = static_cast<float*>(out.data()), .rows = a.rows, .columns = weights.rows, .depth = a.width,
            .a_stride = a.stride(), .weights_stride = weights.stride(), .out_stride = out.stride(), .dtype = a.numbers.dtype, .accumulate = accumulate};
  }

  // All of the output's memory, gaps too.
  std::vector<float> Run() const {
    const FlabMatmul matmul = call();
    Expect(Backend().matmul(Device(), &matmul), "matmul");
    return FromDevice<float>(out.memory.data(), static_cast<int64_t>(out.numbers.values.size()));
  }

  testing::Random random{1};
  Matrix a, weights, out;
  bool accumulate;
};

void Check(const Case& c) {
  const Product product(c);
  const std::vector<float> got = product.Run();
  const std::string name = testing::Join(c.rows, " x ", c.columns, " x ", c.depth, c.dtype == FLAB_F32 ? " f32" : " bf16");
  for (int64_t i = 0; i < c.rows; ++i) {
    for (int64_t j = 0; j < c.columns; ++j) {
      const int64_t place = c.before + i * product.out.stride() + j;
      const double was = c.accumulate ? product.out.numbers.values[place] : 0;
      double expected = was, magnitude = std::fabs(was);
      for (int64_t k = 0; k < c.depth; ++k) {
        const double term = product.a.row(i)[k] * product.weights.row(j)[k];
        expected += term;
        magnitude += std::fabs(term);
      }
      // A sum in f32 in any order rounds once a term, each time by no more than 2^-24 of the sum of magnitudes, and f32 products may
      // be rounded as well; tensor cores, whose bf16 products are exact, cut off instead, by 2^-23. One more for what was there.
      const double tolerance = magnitude * static_cast<double>(c.depth + 1) * 0x1p-23;
      EXPECT(testing::Near(got[place], expected, tolerance), name, ", row ", i, " column ", j, ": ", got[place], " for ", expected, " +- ", tolerance);
    }
  }
  for (size_t place = 0; place < got.size(); ++place) {
    const int64_t within = static_cast<int64_t>(place) - c.before;
    if (within < 0 || within % product.out.stride() >= c.columns) EXPECT(std::isnan(got[place]), name, ": wrote between rows, at ", place);
  }
}

TEST("backend: products are computed by what FLAB_PRODUCTS says") {
  const char* path = std::getenv("FLAB_PRODUCTS");
  if (!path) return;
  int32_t fast = -1;
  const std::string products = Backend().products(Device(), &fast);
  EXPECT(fast == (*path ? 1 : 0), path, " gives ", products);
}

TEST("backend: matmul is that of doubles at every size around a tile's") {
  for (const int32_t dtype : {FLAB_F32, FLAB_BF16}) {
    for (const int64_t depth : {1, 7, 8, 31, 32, 33, 160}) Check({.rows = 3, .columns = 5, .depth = depth, .dtype = dtype});
    for (const int64_t size : {1, 2, 63, 64, 65, 128, 129}) {
      Check({.rows = size, .columns = 3, .depth = 40, .dtype = dtype});
      Check({.rows = 3, .columns = size, .depth = 40, .dtype = dtype});
    }
    Check({.rows = 257, .columns = 131, .depth = 65, .dtype = dtype});
    Check({.rows = 5, .columns = 7, .depth = 2500, .dtype = dtype});
  }
}

// Kernels cut the output into larger tiles where there are enough of them for all processors of the device.
TEST("backend: matmul is that of doubles where each processor has a tile, and one more") {
  FlabDeviceInfo info;
  Expect(Backend().info(0, &info), "info");
  for (const int32_t dtype : {FLAB_F32, FLAB_BF16}) {
    Check({.rows = 128 * info.processors, .columns = 256, .depth = 72, .dtype = dtype});
    Check({.rows = 128 * info.processors, .columns = 127, .depth = 40, .dtype = dtype, .accumulate = true});
    Check({.rows = 128 * info.processors - 1, .columns = 255, .depth = 104, .dtype = dtype, .out_gap = 1});
    Check({.rows = 128 * info.processors + 1, .columns = 513, .depth = 8, .dtype = dtype});
  }
}

TEST("backend: matmul takes any strides and alignment, and leaves what is between rows alone") {
  for (const int32_t dtype : {FLAB_F32, FLAB_BF16}) {
    for (const int64_t before : {0, 1, 2, 4, 8}) {
      Check({.rows = 66, .columns = 67, .depth = 48, .dtype = dtype, .a_gap = 8, .weights_gap = 16, .out_gap = 5, .before = before, .accumulate = before % 2 == 0});
    }
    for (const int64_t gap : {1, 2, 3, 4, 7}) Check({.rows = 66, .columns = 67, .depth = 48, .dtype = dtype, .a_gap = gap, .weights_gap = 8 - gap, .out_gap = gap});
    for (const int64_t gap : {0, 1}) Check({.rows = 9, .columns = 17, .depth = 48, .dtype = dtype, .a_gap = gap, .weights_gap = 1 - gap});
    Check({.rows = 9, .columns = 130, .depth = 37, .dtype = dtype, .a_gap = 3, .weights_gap = 3, .out_gap = 2});
    Check({.rows = 130, .columns = 1, .depth = 1, .dtype = dtype});
  }
}

TEST("backend: matmul adds to what is there") {
  for (const int32_t dtype : {FLAB_F32, FLAB_BF16}) {
    Check({.rows = 70, .columns = 70, .depth = 64, .dtype = dtype, .accumulate = true});
    Check({.rows = 1, .columns = 33, .depth = 17, .dtype = dtype, .accumulate = true});
  }
}

TEST("backend: matmul without depth gives zeros, or leaves what is there") {
  for (const int32_t dtype : {FLAB_F32, FLAB_BF16}) {
    Check({.rows = 3, .columns = 70, .depth = 0, .dtype = dtype});
    const Memory memory(4);
    const float before = -0.0f;  // adding a zero would make it another
    Upload(memory.data(), &before, 4);
    const FlabMatmul call{.a = memory.data(), .weights = memory.data(), .out = memory.as<float>(), .rows = 1, .columns = 1, .depth = 0,
                          .a_stride = 1, .weights_stride = 1, .out_stride = 1, .dtype = dtype, .accumulate = 1};
    Expect(Backend().matmul(Device(), &call), "matmul");
    EXPECT(std::signbit(FromDevice<float>(memory.data(), 1)[0]));
  }
}

TEST("backend: matmul of no rows or no columns is legal") {
  const Memory memory(16);
  for (const int32_t dtype : {FLAB_F32, FLAB_BF16}) {
    for (const int64_t rows : {0, 1}) {
      const FlabMatmul call{.a = memory.data(), .weights = memory.data(), .out = memory.as<float>(), .rows = rows, .columns = 1 - rows, .depth = 2,
                            .a_stride = 2, .weights_stride = 2, .out_stride = 1, .dtype = dtype, .accumulate = 0};
      Expect(Backend().matmul(Device(), &call), "matmul");
    }
  }
}

TEST("backend: a NaN reaches the outputs of its row and no other, and infinity stays infinity") {
  for (const int32_t dtype : {FLAB_F32, FLAB_BF16}) {
    std::vector<float> a(67 * 40, 1), ones(67 * 40, 1);
    a[3 * 40 + 39] = kNaN;
    a[65 * 40] = std::numeric_limits<float>::infinity();
    const Memory device_a = ToDevice(Round(a, dtype)), weights = ToDevice(Round(ones, dtype)), out(67 * 67 * 4);
    const FlabMatmul call{.a = device_a.data(), .weights = weights.data(), .out = out.as<float>(), .rows = 67, .columns = 67, .depth = 40,
                          .a_stride = 40, .weights_stride = 40, .out_stride = 67, .dtype = dtype, .accumulate = 0};
    Expect(Backend().matmul(Device(), &call), "matmul");
    const std::vector<float> got = FromDevice<float>(out.data(), 67 * 67);
    for (int64_t i = 0; i < 67 * 67; ++i) {
      const double expected = i / 67 == 3 ? kNaN : i / 67 == 65 ? std::numeric_limits<double>::infinity() : 40;
      EXPECT(testing::Near(got[i], expected, 0), "row ", i / 67, ": ", got[i], " for ", expected);
    }
  }
}

TEST("backend: the same matmul gives the same bits") {
  for (const int32_t dtype : {FLAB_F32, FLAB_BF16}) {
    const Product product({.rows = 130, .columns = 130, .depth = 130, .dtype = dtype});
    EXPECT(product.Run() == product.Run());
  }
}

TEST("backend: without a library, an output's bits do not depend on the rows and columns beside it, nor on alignment") {
  int32_t fast = 0;
  Backend().products(Device(), &fast);
  if (fast) return testing::Skip("a library chooses its own order");
  FlabDeviceInfo info;
  Expect(Backend().info(0, &info), "info");
  for (const int32_t dtype : {FLAB_F32, FLAB_BF16}) {
    const Product all({.rows = 128 * info.processors, .columns = 256, .depth = 104, .dtype = dtype});
    const std::vector<float> expected = all.Run();
    for (const int64_t columns : {5, 128}) {
      FlabMatmul call = all.call();
      call.rows = columns == 128 ? all.a.rows : 3;
      call.columns = columns;
      Expect(Backend().matmul(Device(), &call), "matmul");
      EXPECT(FromDevice<float>(call.out, expected.size()) == expected, "of ", columns, " columns");
    }
    // The same numbers, a number further in memory.
    std::vector<std::byte> moved(all.a.numbers.bytes);
    const size_t item = dtype == FLAB_F32 ? 4 : 2;
    moved.insert(moved.begin(), item, std::byte{0});
    const Memory device = ToDevice(moved);
    FlabMatmul call = all.call();
    call.a = device.as<std::byte>() + item;
    Expect(Backend().matmul(Device(), &call), "matmul");
    EXPECT(FromDevice<float>(call.out, expected.size()) == expected, "moved");
  }
}

TEST("backend: matmul of halves that are not bf16 is refused") {
  const Memory memory(16);
  const FlabMatmul call{.a = memory.data(), .weights = memory.data(), .out = memory.as<float>(), .rows = 1, .columns = 1, .depth = 1,
                        .a_stride = 1, .weights_stride = 1, .out_stride = 1, .dtype = FLAB_F16, .accumulate = 0};
  EXPECT(Backend().matmul(Device(), &call) == FLAB_BAD_CALL);
  FlabFailure failure;
  Backend().failure(&failure);
  EXPECT(std::string(failure.message) == "matmul: the factors are f32 or bf16", failure.message);
}

}  // namespace
}  // namespace flab::conformance
