#include "cpu/divergence.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace flab {
namespace {

constexpr int64_t kTile = 2048;  // two rows of 8 kB stay in the L1 cache

// Straightforward, in doubles: for rows with infinities or NaN, or with logits that are absurdly far apart.
double RowDivergenceExact(const Tensor& p, const Tensor& q, int64_t row) {
  const int64_t columns = p.columns;
  std::vector<float> l(columns), s(columns);
  Widen(p, row * columns, columns, l.data());
  Widen(q, row * columns, columns, s.data());
  const double max_l = *std::max_element(l.begin(), l.end()), max_s = *std::max_element(s.begin(), s.end());
  double sum_l = 0, sum_s = 0;
  for (int64_t i = 0; i < columns; ++i) sum_l += std::exp(l[i] - max_l), sum_s += std::exp(s[i] - max_s);
  const double lse_l = max_l + std::log(sum_l), lse_s = max_s + std::log(sum_s);
  double divergence = 0;
  for (int64_t i = 0; i < columns; ++i) {
    if (l[i] == -std::numeric_limits<float>::infinity()) continue;
    const double log_ratio = (s[i] - lse_s) - (l[i] - lse_l), probability = std::exp(l[i] - lse_l);
    divergence += probability * (std::expm1(log_ratio) - log_ratio);
  }
  // The sum of q over the entries that P excludes is missing from sum p expm1 = sum q - 1 over the others.
  double excluded = 0;
  for (int64_t i = 0; i < columns; ++i) {
    if (l[i] == -std::numeric_limits<float>::infinity()) excluded += std::exp(s[i] - lse_s);
  }
  return divergence + excluded;
}

bool Finite(const float* values, int64_t count) {
  // A sum of zeros: any infinity or NaN makes it NaN.
  float zero = 0;
  for (int64_t i = 0; i < count; ++i) zero += values[i] * 0;
  return zero == 0;
}

}  // namespace

double Divergence(const DivergenceSums& sums) {
  if (sums.w == 0) return 0;
  const double ratio = sums.a / sums.w;
  const bool close = std::fabs(ratio) < 0.5;
  const double delta = close ? std::log1p(ratio) : std::log(sums.e / sums.w);
  const double divergence = close ? sums.g / sums.w - (std::expm1(delta) - delta) : delta - sums.d / sums.w;
  return divergence < 0 ? 0 : divergence;
}

double RowDivergence(const Kernels& kernels, const Tensor& p, const Tensor& q, int64_t row) {
  alignas(64) float l[kTile], s[kTile];
  DivergenceSums sums;
  for (int64_t begin = 0; begin < p.columns; begin += kTile) {
    const int64_t count = std::min(kTile, p.columns - begin);
    Widen(p, row * p.columns + begin, count, l);
    Widen(q, row * p.columns + begin, count, s);
    if (!Finite(l, count) || !Finite(s, count)) return RowDivergenceExact(p, q, row);
    kernels.divergence_tile(l, s, count, sums);
  }
  return sums.far ? RowDivergenceExact(p, q, row) : Divergence(sums);
}

}  // namespace flab
