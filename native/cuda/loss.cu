// Losses of tokens: log(sum e^l) - l[target] of rows of logits, piece by piece (piece.cuh).
//
// A warp takes one piece of one row; its logits come from the L2 cache, where the product left them. Those of a position without a target,
// a negative one, are not read: its pieces say that it has no tokens, and its loss is NaN.

#include "cuda/operations.h"
#include "cuda/piece.cuh"

namespace flab::cuda {
namespace {

// A block is a warp: most tiles are one piece wide.
__global__ void __launch_bounds__(kWarp)
    LossTileKernel(const float* __restrict__ logits,     // [positions * group, stride]
                   const int32_t* __restrict__ targets,  // [all_positions]
                   FlabLossPiece* __restrict__ out,      // [row_pieces, all_positions, group]
                   float* __restrict__ target_logits,    // [all_positions, group]
                   int64_t group, int64_t columns, int64_t stride, int64_t first_piece, int64_t first_position, int64_t all_positions, bool aligned) {
  const int64_t position = first_position + blockIdx.x, row = position * group + blockIdx.z;
  const int64_t piece = blockIdx.y, begin = piece * FLAB_PIECE, count = columns - begin, target = targets[position];
  FlabLossPiece* to = out + (first_piece + piece) * all_positions * group + row;
  if (target < 0) {
    if (threadIdx.x == 0) *to = {0, 0};
    return;
  }
  const float* own = logits + (row - first_position * group) * stride + begin;
  const float none = FloatOf(0xff800000);  // -infinity
  float l[kOwn], w[kOwn];
  LoadPiece<4>(own, count, aligned, none, l);
  const Weights weights = Weigh(l, w);
  if (threadIdx.x != 0) return;
  *to = {weights.max, weights.sum * weights.scale};
  const int64_t column = target - (first_piece + piece) * FLAB_PIECE;
  if (column >= 0 && column < (count < FLAB_PIECE ? count : FLAB_PIECE)) target_logits[row] = own[column];
}

constexpr int kRowsPerBlock = 64;  // a thread each

__global__ void __launch_bounds__(kRowsPerBlock)
    LossFinishKernel(const FlabLossPiece* __restrict__ pieces,  // [row_pieces, count]
                     int64_t row_pieces,
                     const float* __restrict__ target_logits,  // [count]
                     int64_t count,
                     double* __restrict__ losses) {  // [count]
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kRowsPerBlock + threadIdx.x;
  if (row >= count) return;
  double max = -1e300, sum = 0;
  for (int64_t i = 0; i < row_pieces; ++i) {
    const FlabLossPiece piece = pieces[i * count + row];
    if (piece.sum == 0) continue;  // its logits are all -infinity, and its maximum is none
    const double above = piece.max > max ? piece.max : max;
    sum = sum * exp(max - above) + piece.sum * exp(piece.max - above);
    max = above;
  }
  losses[row] = sum == 0 ? FloatOf(0x7fc00000) : max - target_logits[row] + log(sum);  // NaN; nobody wrote the target's logit
}

}  // namespace

int LossTile(FlabDevice* device, const FlabLossTile* call) {
  const dim3 blocks{static_cast<unsigned>(call->positions), static_cast<unsigned>(CeilDivide(call->columns, FLAB_PIECE)), static_cast<unsigned>(call->group)};
  const bool aligned = IsAligned(call->logits, 16) && call->stride % 4 == 0;
  return Launch(device->compute, "LossTile", LossTileKernel, blocks, kWarp, 0, call->logits, call->targets, call->pieces, call->target_logits,
                call->group, call->columns, call->stride, call->first_piece, call->first_position, call->all_positions, aligned);
}

int LossFinish(FlabDevice* device, const FlabLossPiece* pieces, int64_t row_pieces, const float* target_logits, int64_t count, double* losses) {
  const dim3 blocks{static_cast<unsigned>(CeilDivide(count, kRowsPerBlock))};
  return Launch(device->compute, "LossFinish", LossFinishKernel, blocks, kRowsPerBlock, 0, pieces, row_pieces, target_logits, count, losses);
}

}  // namespace flab::cuda
