#include "prune/neuron_scores.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/testing.h"

namespace flab {
namespace {

using testing::Random;

struct Matrix {
  Matrix(Random& random, Dtype dtype, int64_t rows, int64_t columns) : memory(1 + rows * columns * ItemBytes(dtype)) {
    for (int64_t i = 0; i < rows * columns; ++i) {
      const float value = static_cast<float>(random.Normal() + 0.2);
      const uint16_t half = dtype == Dtype::kBF16 ? ToBF16(value) : static_cast<uint16_t>(0x3000 + random.Below(0x1000) + 0x8000 * random.Below(2));
      std::memcpy(&memory[1 + i * ItemBytes(dtype)], dtype == Dtype::kF32 ? static_cast<const void*>(&value) : &half, ItemBytes(dtype));
    }
    tensor = {memory.data() + 1, dtype, rows, columns, nullptr, "m"};
    values = ToFloats(tensor);
  }
  Matrix(const Matrix&) = delete;
  double at(int64_t row, int64_t column) const { return values[row * tensor.columns + column]; }
  std::vector<std::byte> memory;
  Tensor tensor;
  std::vector<float> values;
};

// Sums of f32 are taken in doubles; halves are summed over kRunRows rows in f32 first, where each of the additions may round.
double RoundingOf(Dtype dtype) { return dtype == Dtype::kF32 ? 1e-12 : kRunRows * 0x1p-24; }

bool Close(double got, double expected, Dtype dtype = Dtype::kF32) {
  return testing::Near(got, expected, RoundingOf(dtype) * std::fabs(expected) + 1e-300);
}

TEST("squares of rows and columns are summed in any dtype") {
  Random random(1);
  Job job;
  for (const Dtype dtype : {Dtype::kF32, Dtype::kF16, Dtype::kBF16}) {
    for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 1}, {3, 255}, {5, 256}, {2, 257}, {300, 7}, {0, 5}, {5, 0}}) {
      const Matrix m(random, dtype, rows, columns);
      const std::vector<double> by_row = RowSquares(job, m.tensor), by_column = ColumnSquares(job, m.tensor);
      CHECK(static_cast<int64_t>(by_row.size()) == rows && static_cast<int64_t>(by_column.size()) == columns);
      for (int64_t i = 0; i < rows; ++i) {
        double sum = 0;
        for (int64_t j = 0; j < columns; ++j) sum += m.at(i, j) * m.at(i, j);
        EXPECT(Close(by_row[i], sum), "row ", i);
      }
      for (int64_t j = 0; j < columns; ++j) {
        double sum = 0;
        for (int64_t i = 0; i < rows; ++i) sum += m.at(i, j) * m.at(i, j);
        EXPECT(Close(by_column[j], sum, dtype), "column ", j);
      }
    }
  }
}

TEST("neuron scores follow their formulas") {
  Random random(2);
  Job job;
  constexpr int64_t kTokensHere = 41, kNeurons = 521, kWidth = 13;
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBF16}) {
    const Matrix activations(random, dtype, kTokensHere, kNeurons), down(random, dtype, kWidth, kNeurons);
    const Matrix gate(random, dtype, kNeurons, kWidth), up(random, dtype, kNeurons, kWidth);
    const NeuronSums sums = SumActivations(job, activations.tensor);
    EXPECT(sums.tokens == kTokensHere);
    const std::vector<double> down_squares = ColumnSquares(job, down.tensor);
    const auto activation = ScoreByActivations(NeuronMetric::kActivation, sums, down_squares);
    const auto wanda = ScoreByActivations(NeuronMetric::kWanda, sums, down_squares);
    const auto fluctuation = ScoreByActivations(NeuronMetric::kFluctuation, sums, down_squares);
    const auto magnitude = ScoreByMagnitude(job, gate.tensor, up.tensor, down.tensor);
    for (int64_t j = 0; j < kNeurons; ++j) {
      double mean = 0, mean_abs = 0, squares = 0, variance = 0, weights = 0, down_square = 0;
      for (int64_t t = 0; t < kTokensHere; ++t) {
        mean += activations.at(t, j) / kTokensHere;
        mean_abs += std::fabs(activations.at(t, j)) / kTokensHere;
        squares += activations.at(t, j) * activations.at(t, j);
      }
      for (int64_t t = 0; t < kTokensHere; ++t) variance += std::pow(activations.at(t, j) - mean, 2) / kTokensHere;
      for (int64_t i = 0; i < kWidth; ++i) {
        weights += std::pow(gate.at(j, i), 2) + std::pow(up.at(j, i), 2);
        down_square += std::pow(down.at(i, j), 2);
      }
      EXPECT(Close(activation[j], mean_abs, dtype));
      EXPECT(Close(wanda[j], std::sqrt(squares) * std::sqrt(down_square), dtype));
      // The variance is a difference: errors are those of the mean square, of the squared mean (twice the mean's), of down.
      const double error = dtype == Dtype::kF32 ? 1e-10 * variance : RoundingOf(dtype) * (squares / kTokensHere + 2 * std::fabs(mean) * mean_abs + 1.1 * variance);
      EXPECT(testing::Near(fluctuation[j], variance * down_square, error * down_square), fluctuation[j], ", expected ", variance * down_square);
      EXPECT(Close(magnitude[j], std::sqrt(weights + down_square), dtype));
    }
  }
}

TEST("the fluctuation of a constant activation is nothing, never negative") {
  NeuronSums sums(3);
  sums.tokens = 3;
  for (int j = 0; j < 3; ++j) {
    const double a = 0.1 + j / 3.;
    sums.sum[j] = a + a + a;
    sums.sum_squares[j] = a * a + a * a + a * a;
  }
  for (const double score : ScoreByActivations(NeuronMetric::kFluctuation, sums, {1, 1, 1})) EXPECT(score >= 0 && score < 1e-15, score);
}

TEST("scores over no tokens are zero, not NaN") {
  const NeuronSums sums(2);
  for (const auto metric : {NeuronMetric::kActivation, NeuronMetric::kWanda, NeuronMetric::kFluctuation}) {
    EXPECT(ScoreByActivations(metric, sums, {1, 1}) == (std::vector<double>{0, 0}));
  }
}

// The same by a full sort.
std::vector<uint32_t> Sorted(const std::vector<double>& values, int64_t count) {
  std::vector<uint32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return values[a] > values[b]; });
  order.resize(count);
  std::sort(order.begin(), order.end());
  return order;
}

TEST("the largest are those of a sort, ascending, ties to the lower index") {
  Random random(3);
  for (const int64_t size : {1, 2, 3, 10, 97, 1000}) {
    for (const int64_t distinct : {1, 2, 5, 1000000}) {
      std::vector<double> values(size);
      for (double& value : values) value = static_cast<double>(random.Below(distinct)) - static_cast<double>(distinct) / 2;
      for (const int64_t count : {int64_t{0}, int64_t{1}, size / 3, size - 1, size}) {
        std::vector<uint32_t> got(count + 1, 12345);
        TopK(values.data(), size, count, got.data());
        EXPECT(got[count] == 12345, "written past the end");
        got.resize(count);
        EXPECT(got == Sorted(values, count), count, " of ", size, " with ", distinct, " values");
      }
    }
  }
}

TEST("infinities and zeros of both signs are ordered, the zeros equal") {
  const std::vector<double> values = {0.0, -0.0, -INFINITY, INFINITY, -0.0, 1};
  std::vector<uint32_t> got(4);
  TopK(values.data(), 6, 4, got.data());
  EXPECT(got == (std::vector<uint32_t>{0, 1, 3, 5}));
}

TEST("the largest of nothing are nothing") { TopK(nullptr, 0, 0, nullptr); }

}  // namespace
}  // namespace flab
