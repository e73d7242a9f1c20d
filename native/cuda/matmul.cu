// Matrix products: by the library where there is one that can do them, else by kernels of our own.

#include "cuda/matmul_kernels.h"
#include "cuda/operations.h"

namespace flab::cuda {

int Matmul(FlabDevice* device, const FlabMatmul* call) {
  if (call->dtype != FLAB_F32 && call->dtype != FLAB_BF16) return FailWith(FLAB_BAD_CALL, "matmul: the factors are f32 or bf16");
  if (call->rows == 0 || call->columns == 0 || (call->depth == 0 && call->accumulate)) return FLAB_OK;
  if (call->depth > 0 && device->products->Multiply(device->compute, *call)) return FLAB_OK;
  const auto multiply = call->dtype == FLAB_BF16 ? MultiplyBf16 : MultiplyF32;
  return multiply(device->compute, *call, device->processors);
}

}  // namespace flab::cuda
