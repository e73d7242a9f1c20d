#pragma once

#include <cstdint>
#include <vector>

#include "base/job.h"
#include "base/tensor.h"

namespace flab {

// Sums over tokens of one layer's gated activations a_j (the input of down_proj). Each [F]. Added in the order of
// tokens in blocks that do not depend on the number of threads.
struct NeuronSums {
  explicit NeuronSums(int64_t neurons) : sum(neurons), sum_abs(neurons), sum_squares(neurons) {}
  std::vector<double> sum, sum_abs, sum_squares;
  int64_t tokens = 0;
};

// Sums of activations [T, F] in memory.
NeuronSums SumActivations(const Job& job, const Tensor& activations);

// [rows] sum of squares of each row; [columns] of each column. Sums in doubles, in order.
std::vector<double> RowSquares(const Job& job, const Tensor& matrix);
std::vector<double> ColumnSquares(const Job& job, const Tensor& matrix);

// In doubles. Of a state of zeros, which has no direction, it is 1; NaN and infinities give NaN, which no search accepts.
double Cosine(const float* a, const float* b, int64_t count);

}  // namespace flab
