// The operations of the table (backend/backend.h says what each promises), a file each.
#pragma once

#include "cuda/device.h"

namespace flab::cuda {

// device.cu
void Failure(FlabFailure* failure);
int Count(int32_t* devices);
int Info(int32_t index, FlabDeviceInfo* info);
int Open(int32_t index, const char* products, FlabDevice** device);
void Close(FlabDevice* device);
const char* ProductsOf(const FlabDevice* device, int32_t* fast);

// memory.cu
int Available(FlabDevice* device, int64_t* bytes);
int Allocate(FlabDevice* device, int64_t bytes, void** memory);
void Release(FlabDevice* device, void* memory);
int AllocatePinned(FlabDevice* device, int64_t bytes, void** memory);
void ReleasePinned(FlabDevice* device, void* memory);
int Upload(FlabDevice* device, FlabStream stream, void* to, const void* from, int64_t bytes);
int Download(FlabDevice* device, void* to, const void* from, int64_t bytes);
int Copy(FlabDevice* device, void* to, const void* from, int64_t bytes);
int Clear(FlabDevice* device, void* memory, int64_t bytes);
int Mark(FlabDevice* device, FlabStream stream, int32_t event);
int Wait(FlabDevice* device, FlabStream stream, int32_t event);
int WaitHere(FlabDevice* device, int32_t event);
int Synchronize(FlabDevice* device, FlabStream stream);

// gather.cu, gather_columns.cu
int GatherRows(FlabDevice* device, const void* from, int64_t row_bytes, const uint32_t* keep, int64_t count, void* to);
int ScatterRows(FlabDevice* device, const void* from, int64_t row_bytes, const uint32_t* keep, int64_t count, void* to);
int GatherColumns(FlabDevice* device, const void* from, int64_t rows, int64_t columns, int32_t item_bytes, const uint32_t* keep, int64_t count, void* to);

// elementwise.cu
int Convert(FlabDevice* device, const void* from, int32_t from_dtype, void* to, int32_t to_dtype, int64_t count);
int Embed(FlabDevice* device, const void* table, int32_t dtype, const int32_t* ids, int64_t rows, int64_t width, float* out);
int AddBias(FlabDevice* device, float* x, const float* bias, int64_t rows, int64_t width);

// norm.cu
int RmsNorm(FlabDevice* device, const float* x, const uint32_t* rows, int64_t count, int64_t width, const float* weight, float eps, void* out,
            int64_t out_stride, int32_t dtype);

// matmul.cu
int Matmul(FlabDevice* device, const FlabMatmul* call);

// rotate.cu, attention.cu, swiglu.cu
int Rotate(FlabDevice* device, const FlabRotate* call);
int Attention(FlabDevice* device, const FlabAttention* call);
int Swiglu(FlabDevice* device, const FlabSwiglu* call);

// divergence.cu, loss.cu
int DivergenceTile(FlabDevice* device, const FlabDivergenceTile* call);
int DivergenceFinish(FlabDevice* device, const FlabPieceSums* pieces, int64_t row_pieces, int64_t count, double* divergences);
int RowDivergence(FlabDevice* device, const FlabRowDivergence* call);
int LossTile(FlabDevice* device, const FlabLossTile* call);
int LossFinish(FlabDevice* device, const FlabLossPiece* pieces, int64_t row_pieces, const float* target_logits, int64_t count, double* losses);

// squares.cu
int Cosines(FlabDevice* device, const float* a, const float* b, int64_t rows, int64_t width, double* cosines);
int RowSquares(FlabDevice* device, const void* matrix, int32_t dtype, int64_t rows, int64_t columns, double* squares);
int ColumnSquares(FlabDevice* device, const void* matrix, int32_t dtype, int64_t rows, int64_t columns, double* squares);

// top_k.cu
int TopK(FlabDevice* device, const double* scores, int64_t rows, int64_t columns, int64_t count, uint32_t* out);

}  // namespace flab::cuda
