#include "cpu/divergence.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace flab {
namespace {

constexpr int64_t kTile = 4096;  // two rows of 16 kB at most

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

}  // namespace

double Divergence(const DivergenceSums& sums) {
  if (sums.w == 0) return 0;
  const double mean = sums.d / sums.w, excess = sums.g / sums.w, delta = std::log1p(mean + excess);
  const bool close = std::fabs(mean + excess) < 0.5;
  const double divergence = close ? excess - (std::expm1(delta) - delta) : delta - mean;
  return divergence < 0 ? 0 : divergence;
}

double RowDivergence(const Kernels& kernels, const Tensor& p, const Tensor& q, int64_t row) {
  alignas(64) float l[kTile], s[kTile];
  const bool same = p.dtype == q.dtype;
  DivergenceSums sums;
  for (int64_t begin = 0; begin < p.columns; begin += kTile) {
    const int64_t count = std::min(kTile, p.columns - begin), first = row * p.columns + begin;
    if (same) {
      const int64_t offset = first * ItemBytes(p.dtype);
      kernels.divergence_tile(p.dtype, p.data + offset, q.data + offset, count, sums);
    } else {
      Widen(p, first, count, l);
      Widen(q, first, count, s);
      kernels.divergence_tile(Dtype::kF32, l, s, count, sums);
    }
    // Infinities and NaN of l and s alike.
    if (!std::isfinite(sums.d)) return RowDivergenceExact(p, q, row);
  }
  return sums.far ? RowDivergenceExact(p, q, row) : Divergence(sums);
}

}  // namespace flab
