#include "cpu/statistics.h"

#include <algorithm>
#include <cmath>

#include "cpu/kernels.h"

namespace flab {
namespace {

constexpr int64_t kRowsATask = 16;                   // where rows are summed
constexpr int64_t kPieces = 32;                      // of a matrix at least, where columns are summed: enough for all threads
constexpr int64_t kPieceBytes = 4096;                // of a row: smaller pieces cost the memory's speed

// A matrix in pieces that are summed at the same time, the same whatever the threads: `parts` of the rows by `blocks` of the columns.
struct Pieces {
  explicit Pieces(const Tensor& matrix)
      : columns(kPieceBytes / ItemBytes(matrix.dtype)), blocks(std::max<int64_t>(1, (matrix.columns + columns - 1) / columns)), parts((kPieces + blocks - 1) / blocks),
        rows((matrix.rows + parts * kRunRows - 1) / (parts * kRunRows) * kRunRows) {}

  // fn(part, first row, rows, first column, columns)
  template <typename Function>
  void ForEach(const Job& job, const Tensor& matrix, const Function& fn) const {
    job.Parallel(parts * blocks, [&](int64_t i) {
      const int64_t part = i / blocks, row = std::min(matrix.rows, part * rows), column = i % blocks * columns;
      fn(part, row, std::min(rows, matrix.rows - row), column, std::min(columns, matrix.columns - column));
    });
  }

  int64_t columns, blocks, parts, rows;
};

const std::byte* At(const Tensor& matrix, int64_t row, int64_t column) {
  return matrix.data + (row * matrix.columns + column) * ItemBytes(matrix.dtype);
}

void Add(const std::vector<double>& values, std::vector<double>& sums) {
  for (size_t i = 0; i < sums.size(); ++i) sums[i] += values[i];
}

}  // namespace

std::vector<double> RowSquares(const Job& job, const Tensor& matrix) {
  std::vector<double> squares(matrix.rows);
  job.Parallel((matrix.rows + kRowsATask - 1) / kRowsATask, [&](int64_t task) {
    for (int64_t row = task * kRowsATask; row < std::min(matrix.rows, (task + 1) * kRowsATask); ++row) {
      squares[row] = ActiveKernels().sum_squares(matrix.dtype, At(matrix, row, 0), matrix.columns);
    }
  });
  return squares;
}

std::vector<double> ColumnSquares(const Job& job, const Tensor& matrix) {
  const Pieces pieces(matrix);
  std::vector<std::vector<double>> sums(pieces.parts, std::vector<double>(matrix.columns));
  pieces.ForEach(job, matrix, [&](int64_t part, int64_t row, int64_t rows, int64_t column, int64_t columns) {
    ActiveKernels().sum_column_squares(matrix.dtype, At(matrix, row, column), matrix.columns, rows, columns, &sums[part][column]);
  });
  for (int64_t part = 1; part < pieces.parts; ++part) Add(sums[part], sums[0]);
  return std::move(sums[0]);
}

NeuronSums SumActivations(const Job& job, const Tensor& activations) {
  const Pieces pieces(activations);
  std::vector<NeuronSums> sums(pieces.parts, NeuronSums(activations.columns));
  pieces.ForEach(job, activations, [&](int64_t part, int64_t row, int64_t rows, int64_t column, int64_t columns) {
    NeuronSums& own = sums[part];
    ActiveKernels().sum_neurons(activations.dtype, At(activations, row, column), activations.columns, rows, columns, &own.sum[column],
                                &own.sum_abs[column], &own.sum_squares[column]);
  });
  for (int64_t part = 1; part < pieces.parts; ++part) {
    Add(sums[part].sum, sums[0].sum);
    Add(sums[part].sum_abs, sums[0].sum_abs);
    Add(sums[part].sum_squares, sums[0].sum_squares);
  }
  sums[0].tokens = activations.rows;
  return std::move(sums[0]);
}

double Cosine(const float* a, const float* b, int64_t count) {
  double ab = 0, aa = 0, bb = 0;
  for (int64_t i = 0; i < count; ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return aa == 0 || bb == 0 ? 1 : std::clamp(ab / (std::sqrt(aa) * std::sqrt(bb)), -1.0, 1.0);
}

}  // namespace flab
