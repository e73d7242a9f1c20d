// Matrix products: by the library where there is one, else by kernels of our own.

#include "cuda/matmul_kernels.h"
#include "cuda/operations.h"

namespace flab::cuda {

int Matmul(FlabDevice* device, const FlabMatmul* call) {
  if (call->rows == 0 || call->columns == 0) return FLAB_OK;
  int code = FLAB_OK;
  if (device->products->Multiply(device->compute, *call, &code)) return code;
  return call->dtype == FLAB_BF16 ? MultiplyBf16(device->compute, *call) : MultiplyF32(device->compute, *call);
}

}  // namespace flab::cuda
