// The table of one implementation, from the headers of this folder.

#include "cpu/kernels.h"

#include "cpu/impl/vector.h"

#include "cpu/impl/divergence.h"
#include "cpu/impl/elementwise.h"
#include "cpu/impl/matmul.h"
#include "cpu/impl/slice.h"
#include "cpu/impl/statistics.h"

#define FLAB_STRING_OF(x) #x
#define FLAB_STRING(x) FLAB_STRING_OF(x)

namespace flab::FLAB_ISA {

extern const Kernels kKernels;
const Kernels kKernels = {
    .name = FLAB_STRING(FLAB_ISA),
    .tile_rows = FLAB_TILE_ROWS,
    .tile_f32 = TileF32,
    .tile_bf16 = nullptr,
    .interleave = Interleave,
    .to_bf16 = ToBF16,
    .rms_norm = RmsNorm,
    .swiglu = Swiglu,
    .rotate = Rotate,
    .softmax = Softmax,
    .divergence_tile = DivergenceTile,
    .log_sum_exp_tile = LogSumExpTile,
    .store_past_caches = StorePastCaches,
    .gather_narrow = kGatherNarrow,
    .gather_wide = kGatherWide,
    .sum_neurons = SumNeurons,
    .sum_column_squares = SumColumnSquares,
    .sum_squares = SumSquares,
};

}  // namespace flab::FLAB_ISA
