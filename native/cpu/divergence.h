#pragma once

#include <cstdint>

#include "base/tensor.h"
#include "cpu/kernels.h"

namespace flab {

// KL(P || Q) in nats from finished sums. With delta = lse(s) - lse(l) - guess: where Q is close,
// G/W - (expm1(delta) - delta), delta = log1p((D + G)/W), which does not cancel; where it is far, delta - D/W.
// Never below zero.
double Divergence(const DivergenceSums& sums);

// KL(P || Q) in nats of row `row` of two matrices of logits of the same width. A logit of -infinity is a
// probability of zero: the term vanishes where P has it, and the result is infinite where only Q has it.
// NaN in, NaN out.
double RowDivergence(const Kernels& kernels, const Tensor& p, const Tensor& q, int64_t row);

}  // namespace flab
