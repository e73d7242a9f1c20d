// KL divergences of rows of logits: sums of pieces, one warp a piece (divergence_piece.cuh), and what becomes of them.
//
// A tile's logits come from the L2 cache, where the product left them: a warp keeps the piece of the reference and its weights in
// registers, which takes a quarter of the work of one candidate, and goes through up to kMostCandidates candidates; fewer where there would
// be less than kEnoughWarps to do it, as many as 128 processors hold. Of two whole matrices a warp takes one piece of a row, 4 kB of bf16
// that are read once: at 96 registers 20 warps share a processor, and one in four of them waits for its piece, so that 20 kB are under way
// where 3.35 TB/s for 0.8 us over 132 processors (H100) are 20. No warp waits for another.

#include <algorithm>

#include "cuda/divergence_piece.cuh"
#include "cuda/operations.h"

namespace flab::cuda {
namespace {

constexpr int64_t kMostCandidates = 8, kEnoughWarps = 2048;

// A block is a warp: most tiles are one piece wide.
__global__ void __launch_bounds__(kWarp, 16)
    TileKernel(const float* __restrict__ logits,  // [positions * group, stride]
               FlabPieceSums* __restrict__ out,   // [row_pieces, all_positions, group - 1]
               int64_t group, int64_t columns, int64_t stride, int64_t first_piece, int64_t first_position, int64_t all_positions, int64_t candidates,
               bool aligned) {
  const int64_t position = blockIdx.x, piece = blockIdx.y, count = columns - piece * FLAB_PIECE;
  const float* reference = logits + position * group * stride + piece * FLAB_PIECE;
  float l[kOwn], w[kOwn], s[kOwn];
  LoadPiece<4>(reference, count, aligned, kNoReference, l);
  const Weights weights = Weigh(l, w);
  const int64_t first = blockIdx.z * candidates, end = first + candidates < group - 1 ? first + candidates : group - 1;
  for (int64_t candidate = first; candidate < end; ++candidate) {
    const float* own = reference + (candidate + 1) * stride;
    LoadPiece<4>(own, count, aligned, kNoCandidate, s);
    FlabPieceSums sums = SumPiece<false>(l, s, w, weights);
    if (!AreSummed(sums)) sums = SumFarPiece<false>(reference, own, count, weights);
    if (threadIdx.x == 0) out[((first_piece + piece) * all_positions + first_position + position) * (group - 1) + candidate] = sums;
  }
}

constexpr int kPiecesPerBlock = 4;  // a warp each
constexpr int kThreads = kPiecesPerBlock * kWarp;

template <typename P, typename Q>
struct Pair {
  static constexpr bool kHalves = sizeof(P) == 2 && sizeof(Q) == 2;
  static constexpr int kChunk = sizeof(P) == 4 && sizeof(Q) == 4 ? 4 : 8;
};

template <typename P, typename Q>
__global__ void __launch_bounds__(kThreads, Pair<P, Q>::kHalves ? 5 : 4)
    RowsKernel(const P* __restrict__ p, const Q* __restrict__ q,  // [rows, columns]
               FlabPieceSums* __restrict__ out,                   // [pieces, rows]
               int64_t rows, int64_t columns, bool p_aligned, bool q_aligned) {
  const int64_t row = blockIdx.x, piece = static_cast<int64_t>(blockIdx.y) * kPiecesPerBlock + threadIdx.x / kWarp;
  const int64_t begin = piece * FLAB_PIECE, count = columns - begin;
  if (count <= 0) return;
  float l[kOwn], s[kOwn], w[kOwn];
  p += row * columns + begin, q += row * columns + begin;
  LoadPiece<Pair<P, Q>::kChunk>(p, count, p_aligned, kNoReference, l);
  LoadPiece<Pair<P, Q>::kChunk>(q, count, q_aligned, kNoCandidate, s);
  const Weights weights = Weigh(l, w);
  FlabPieceSums sums = SumPiece<Pair<P, Q>::kHalves>(l, s, w, weights);
  if (!AreSummed(sums)) sums = SumFarPiece<Pair<P, Q>::kHalves>(p, q, count, weights);
  if (threadIdx.x % kWarp == 0) out[piece * rows + row] = sums;
}

struct Sums {
  double max, guess, w, d, g;
};

// The sums for guess + shift from those for guess: e^(d - shift) = e^-shift e^d, and so on. Where d is near zero, as it is when the
// guess is the mean of s - l, every term is of one sign: nothing cancels.
__device__ void ShiftGuess(Sums& sums, double shift) {
  const double scale = exp(-shift), scale1 = expm1(-shift);
  sums.g = scale * sums.g + scale1 * sums.d + sums.w * (scale1 + shift);
  sums.d -= shift * sums.w;
  sums.guess += shift;
}

__device__ void ScaleTo(Sums& sums, double max) {
  const double scale = exp(sums.max - max);
  sums.w *= scale, sums.d *= scale, sums.g *= scale;
  sums.max = max;
}

// The sum of two parts of a row: both are moved to their common maximum and their common mean first, as in Chan's update of a
// variance, so that a piece of little weight that came first costs no digits of a heavy one.
__device__ Sums Merge(Sums row, Sums piece) {
  const double max = row.max > piece.max ? row.max : piece.max;
  ScaleTo(row, max);
  ScaleTo(piece, max);
  // From the row's guess, so that no offset that both share takes part.
  const double apart = piece.guess - row.guess, shift = (row.d + piece.d + apart * piece.w) / (row.w + piece.w);
  ShiftGuess(piece, shift - apart);
  ShiftGuess(row, shift);
  return {max, row.guess, row.w + piece.w, row.d + piece.d, row.g + piece.g};
}

// log(sum e^x), x by x.
struct LogSum {
  double max = -1e300, sum = 0;
  __device__ void Add(double x) {
    const double above = x > max ? x : max;
    sum = sum * exp(max - above) + exp(x - above);
    max = above;
  }
  __device__ double Log() const { return max + log(sum); }
};

// What a row's pieces say, taken in order.
class Divergence {
 public:
  __device__ void Add(const Sums& piece) {
    near_ = near_.w == 0 ? piece : Merge(near_, piece);
    const double log_w = piece.max + log(piece.w), mean = piece.guess + piece.d / piece.w;
    l_.Add(log_w);
    s_.Add(piece.max + piece.guess + log(piece.w + piece.d + piece.g));
    mean_ += exp(log_w - l_.Log()) * (mean - mean_);
  }

  // Never below zero. Where Q is close, G/W - (expm1(delta) - delta), delta = lse(s) - lse(l) - guess = log1p((D + G)/W): that does
  // not cancel. Where it is far, by whatever distance, lse(s) - lse(l) - mean of s - l.
  __device__ double Value() const {
    if (near_.w == 0) return 0;
    const double excess = near_.g / near_.w, z = near_.d / near_.w + excess, delta = log1p(z);
    const double divergence = fabs(z) < 0.5 ? excess - (expm1(delta) - delta) : s_.Log() - l_.Log() - mean_;
    return divergence < 0 ? 0 : divergence;
  }

 private:
  Sums near_{0, 0, 0, 0, 0};
  LogSum l_, s_;
  double mean_ = 0;
};

constexpr int kRowsPerBlock = 64;  // a thread each

__global__ void __launch_bounds__(kRowsPerBlock)
    FinishKernel(const FlabPieceSums* __restrict__ pieces,  // [row_pieces, count]
                 int64_t row_pieces, int64_t count,
                 double* __restrict__ divergences) {  // [count]
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kRowsPerBlock + threadIdx.x;
  if (row >= count) return;
  Divergence divergence;
  for (int64_t i = 0; i < row_pieces; ++i) {
    const FlabPieceSums piece = pieces[i * count + row];
    divergence.Add({piece.max, piece.guess, piece.w, piece.d, piece.g});
  }
  divergences[row] = divergence.Value();
}

template <typename P, typename Q>
int RunRows(FlabDevice* device, const FlabRowDivergence& call) {
  const auto aligned = [&](const void* matrix, size_t item) { return IsAligned(matrix, 16) && call.columns * static_cast<int64_t>(item) % 16 == 0; };
  const dim3 blocks{static_cast<unsigned>(call.rows), static_cast<unsigned>(CeilDivide(call.columns, FLAB_PIECE * kPiecesPerBlock)), 1};
  return Launch(device->compute, "RowDivergence", RowsKernel<P, Q>, blocks, kThreads, 0,
                static_cast<const P*>(call.p), static_cast<const Q*>(call.q), call.pieces, call.rows, call.columns, aligned(call.p, sizeof(P)),
                aligned(call.q, sizeof(Q)));
}

template <typename P>
int RunRowsOf(FlabDevice* device, const FlabRowDivergence& call) {
  switch (call.q_dtype) {
    case FLAB_F16: return RunRows<P, F16>(device, call);
    case FLAB_BF16: return RunRows<P, Bf16>(device, call);
    default: return RunRows<P, float>(device, call);
  }
}

}  // namespace

int DivergenceTile(FlabDevice* device, const FlabDivergenceTile* call) {
  if (call->group < 2) return FLAB_OK;
  const int64_t pieces = CeilDivide(call->columns, FLAB_PIECE), all = call->group - 1;
  const int64_t candidates = std::clamp<int64_t>(call->positions * pieces * all / kEnoughWarps, 1, kMostCandidates);
  const dim3 blocks{static_cast<unsigned>(call->positions), static_cast<unsigned>(pieces), static_cast<unsigned>(CeilDivide(all, candidates))};
  const bool aligned = IsAligned(call->logits, 16) && call->stride % 4 == 0;
  return Launch(device->compute, "DivergenceTile", TileKernel, blocks, kWarp, 0, call->logits, call->pieces, call->group, call->columns, call->stride,
                call->first_piece, call->first_position, call->all_positions, candidates, aligned);
}

int RowDivergence(FlabDevice* device, const FlabRowDivergence* call) {
  switch (call->p_dtype) {
    case FLAB_F16: return RunRowsOf<F16>(device, *call);
    case FLAB_BF16: return RunRowsOf<Bf16>(device, *call);
    default: return RunRowsOf<float>(device, *call);
  }
}

int DivergenceFinish(FlabDevice* device, const FlabPieceSums* pieces, int64_t row_pieces, int64_t count, double* divergences) {
  const dim3 blocks{static_cast<unsigned>(CeilDivide(count, kRowsPerBlock))};
  return Launch(device->compute, "DivergenceFinish", FinishKernel, blocks, kRowsPerBlock, 0, pieces, row_pieces, count, divergences);
}

}  // namespace flab::cuda
