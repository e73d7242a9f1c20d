#include "prune/neuron_scores.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/budget.h"

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

std::vector<double> ScoreByActivations(NeuronMetric metric, const NeuronSums& sums, const std::vector<double>& down_squares) {
  const double tokens = static_cast<double>(std::max<int64_t>(1, sums.tokens));
  std::vector<double> scores(sums.sum.size());
  for (size_t j = 0; j < scores.size(); ++j) {
    const double mean = sums.sum[j] / tokens;
    switch (metric) {
      case NeuronMetric::kActivation: scores[j] = sums.sum_abs[j] / tokens; break;
      case NeuronMetric::kWanda: scores[j] = std::sqrt(sums.sum_squares[j] * down_squares[j]); break;
      default: {
        const double variance = sums.sum_squares[j] / tokens - mean * mean;
        scores[j] = (variance < 0 ? 0 : variance) * down_squares[j];  // NaN stays NaN
      }
    }
  }
  return scores;
}

std::vector<double> ScoreByMagnitude(const Job& job, const Tensor& gate, const Tensor& up, const Tensor& down) {
  std::vector<double> scores = RowSquares(job, gate);
  const std::vector<double> up_squares = RowSquares(job, up), down_squares = ColumnSquares(job, down);
  for (size_t j = 0; j < scores.size(); ++j) scores[j] = std::sqrt(scores[j] + up_squares[j] + down_squares[j]);
  return scores;
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

std::vector<std::vector<double>> RankNeurons(Job& job, const Model& model, const ModelView& view, const Texts& texts,
                                             const std::vector<NeuronMetric>& metrics) {
  const int64_t neurons = model.spec.ffn_width, n = static_cast<int64_t>(view.layers.size());
  std::vector<NeuronSums> sums(n, NeuronSums(neurons));
  const bool needs_activations =
      std::any_of(metrics.begin(), metrics.end(), [](NeuronMetric metric) { return metric != NeuronMetric::kMagnitude; });
  if (needs_activations) {
    job.SetTotal(n * texts.tokens());
    const Budget budget = PlanBudget(model, texts, model.spec.width * 4, "ranking neurons");
    for (const Texts& chunk : Chunks(texts, budget.chunk_tokens)) {
      Decoder decoder(job, model, chunk, budget.batch_rows);
      Buffer<float> x(chunk.tokens() * model.spec.width);
      decoder.Embed(x.data());
      for (int64_t i = 0; i < n; ++i) {
        const auto* neurons = view.neurons.empty() ? nullptr : &view.neurons[i];
        decoder.RunLayer(view.layers[i], x.data(), 1, {.neurons = neurons, .sums = &sums[i]});
      }
    }
  }
  std::vector<std::vector<double>> scores(metrics.size());
  for (int64_t i = 0; i < n; ++i) {
    const LayerWeights& weights = model.layers[view.layers[i]];
    const std::vector<double> down_squares = ColumnSquares(job, weights.down);
    for (size_t m = 0; m < metrics.size(); ++m) {
      const std::vector<double> layer = metrics[m] == NeuronMetric::kMagnitude
                                            ? ScoreByMagnitude(job, weights.gate, weights.up, weights.down)
                                            : ScoreByActivations(metrics[m], sums[i], down_squares);
      scores[m].insert(scores[m].end(), layer.begin(), layer.end());
    }
    for (const Tensor* tensor : {&weights.gate, &weights.up, &weights.down}) Release(*tensor);
  }
  return scores;
}

void TopK(const double* values, int64_t size, int64_t count, uint32_t* out) {
  std::vector<uint32_t> order(size);
  std::iota(order.begin(), order.end(), 0);
  std::nth_element(order.begin(), order.begin() + count, order.end(), [&](uint32_t a, uint32_t b) {
    return values[a] != values[b] ? values[a] > values[b] : a < b;
  });
  std::copy_n(order.begin(), count, out);
  std::sort(out, out + count);
}

}  // namespace flab
