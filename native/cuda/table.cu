// The table that the library exports.

#include "cuda/operations.h"

namespace {

using namespace flab::cuda;

const FlabBackend kTable{
    .version = FLAB_BACKEND_VERSION,
    .bytes = sizeof(FlabBackend),
    .name = "cuda",
    .failure = Failure,
    .count = Count,
    .info = Info,
    .open = Open,
    .close = Close,
    .products = ProductsOf,
    .available = Available,
    .allocate = Allocate,
    .release = Release,
    .allocate_pinned = AllocatePinned,
    .release_pinned = ReleasePinned,
    .upload = Upload,
    .download = Download,
    .copy = Copy,
    .clear = Clear,
    .mark = Mark,
    .wait = Wait,
    .wait_here = WaitHere,
    .synchronize = Synchronize,
    .gather_rows = GatherRows,
    .scatter_rows = ScatterRows,
    .gather_columns = GatherColumns,
    .convert = Convert,
    .embed = Embed,
    .rms_norm = RmsNorm,
    .matmul = Matmul,
    .rotate = Rotate,
    .attention = Attention,
    .swiglu = Swiglu,
    .add_bias = AddBias,
    .divergence_tile = DivergenceTile,
    .divergence_finish = DivergenceFinish,
    .loss_tile = LossTile,
    .loss_finish = LossFinish,
    .row_divergence = RowDivergence,
    .cosines = Cosines,
    .row_squares = RowSquares,
    .column_squares = ColumnSquares,
    .top_k = TopK,
};

}  // namespace

extern "C" __attribute__((visibility("default"))) const FlabBackend* flab_backend(uint32_t version) {
  return version == FLAB_BACKEND_VERSION ? &kTable : nullptr;
}
