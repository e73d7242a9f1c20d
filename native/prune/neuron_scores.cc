#include "prune/neuron_scores.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/engine.h"

namespace flab {

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

std::vector<std::vector<double>> RankNeurons(Job& job, const Model& model, const ModelView& view, const Texts& texts,
                                             const std::vector<NeuronMetric>& metrics) {
  const int64_t neurons = model.spec.ffn_width, n = static_cast<int64_t>(view.layers.size());
  std::vector<NeuronSums> sums(n, NeuronSums(neurons));
  const bool needs_activations =
      std::any_of(metrics.begin(), metrics.end(), [](NeuronMetric metric) { return metric != NeuronMetric::kMagnitude; });
  if (needs_activations) {
    job.SetTotal(n * texts.tokens());
    const Budget budget = model.engine().Plan(texts, model.spec.width * 4, "ranking neurons");
    for (const Texts& chunk : Chunks(texts, budget.chunk_tokens)) {
      const auto states = model.engine().NewStates(job, chunk, 1, budget);
      states->Embed(0);
      for (int64_t i = 0; i < n; ++i) states->RunLayer(view.layers[i], 0, 1, {.neurons = view.NeuronsOf(i), .sums = &sums[i]});
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
