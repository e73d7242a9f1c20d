#pragma once

#include <cstdint>
#include <vector>

#include "base/job.h"
#include "cpu/statistics.h"
#include "model/model.h"

namespace flab {

// How a neuron j of an FFN is scored; a_j is its gated activation, down_j its column of down_proj:
//   magnitude    sqrt(|gate_j|^2 + |up_j|^2 + |down_j|^2)
//   activation   mean |a_j| over tokens
//   wanda        |a_j|_2 * |down_j|_2                        (after Wanda, arXiv 2306.11695)
//   fluctuation  variance of a_j over tokens * |down_j|_2^2   (FLAP, arXiv 2312.11983)
enum class NeuronMetric { kMagnitude, kActivation, kWanda, kFluctuation };

// The formulas that need activations. `down_squares` [F].
std::vector<double> ScoreByActivations(NeuronMetric metric, const NeuronSums& sums, const std::vector<double>& down_squares);

// [F] scores by magnitude. gate, up [F, D]; down [D, F].
std::vector<double> ScoreByMagnitude(const Job& job, const Tensor& gate, const Tensor& up, const Tensor& down);

// For each metric, [n, F] scores of the layers of the view; one pass over the texts.
std::vector<std::vector<double>> RankNeurons(Job& job, const Model& model, const ModelView& view, const Texts& texts,
                                             const std::vector<NeuronMetric>& metrics);

// Ascending indices of the `count` largest of values[0..size); equal values go to the lower index.
void TopK(const double* values, int64_t size, int64_t count, uint32_t* out);

}  // namespace flab
