#include "cuda/operations.h"
namespace flab::cuda {
static int Pending() { return FailWith(FLAB_BAD_CALL, "not written yet"); }
int Rotate(FlabDevice*, const FlabRotate*) { return Pending(); }
int Attention(FlabDevice*, const FlabAttention*) { return Pending(); }
int Swiglu(FlabDevice*, const FlabSwiglu*) { return Pending(); }
int DivergenceTile(FlabDevice*, const FlabDivergenceTile*) { return Pending(); }
int DivergenceFinish(FlabDevice*, const FlabPieceSums*, int64_t, int64_t, double*, uint8_t*) { return Pending(); }
int RowDivergence(FlabDevice*, const FlabRowDivergence*) { return Pending(); }
int LossTile(FlabDevice*, const FlabLossTile*) { return Pending(); }
int LossFinish(FlabDevice*, const FlabLossPiece*, int64_t, const float*, int64_t, double*) { return Pending(); }
int Cosines(FlabDevice*, const float*, const float*, int64_t, int64_t, double*) { return Pending(); }
int RowSquares(FlabDevice*, const void*, int32_t, int64_t, int64_t, double*) { return Pending(); }
int ColumnSquares(FlabDevice*, const void*, int32_t, int64_t, int64_t, double*) { return Pending(); }
int TopK(FlabDevice*, const double*, int64_t, int64_t, int64_t, uint32_t*) { return Pending(); }
}  // namespace flab::cuda
