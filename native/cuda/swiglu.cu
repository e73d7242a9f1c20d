// Activations of an FFN, gate / (1 + e^-gate) * up, and sums of them over rows for the ranking of neurons.
//
// A block has 64 rows (32 without sums) of 128 neighbouring neurons: a warp takes every eighth row, a lane 4 neurons of it. 8 bytes
// are read and 2 or 4 written for each activation; what it takes to compute them hides behind that. The 8 warps add what they have
// summed in f32 in shared memory and leave 12 bytes a neuron for 64 rows in scratch, which a second kernel adds in doubles: less
// than 4 % more bytes. Always in the same order.

#include "cuda/operations.h"
#include "cuda/vector.cuh"

namespace flab::cuda {
namespace {

constexpr int kWarps = 8, kThreads = kWarps * kWarp;
constexpr int kBatch = 4;  // rows whose numbers a lane asks for before it waits
constexpr int kSums = 3;   // of a, |a|, a^2

// Rows of a block.
template <bool kWithSums>
constexpr int kRows = kWithSums ? FLAB_SUM_ROWS : kWarps * kBatch;
static_assert(FLAB_SUM_ROWS % (kWarps * kBatch) == 0);

// What does not change from row to row.
template <int kCount>
struct Neurons {
  Floats<kCount> gate_bias, up_bias;
  bool keep[kCount];

  __device__ __forceinline__ Floats<kCount> Activations(const Floats<kCount>& gates, const Floats<kCount>& ups) const {
    Floats<kCount> a;
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      const float gate = gates.at[i] + gate_bias.at[i], up = ups.at[i] + up_bias.at[i];
      a.at[i] = keep[i] ? gate / (1 + Exp2(gate * -1.4426950408889634f)) * up : 0;  // log2 e
    }
    return a;
  }
};

template <int kCount>
__device__ __forceinline__ Neurons<kCount> LoadNeurons(const FlabSwiglu& call, int64_t first) {
  Neurons<kCount> neurons = {};
  if (call.bias) {
    neurons.gate_bias = LoadFloats<kCount>(call.bias + first);
    neurons.up_bias = LoadFloats<kCount>(call.bias + call.neurons + first);
  }
#pragma unroll
  for (int i = 0; i < kCount; ++i) neurons.keep[i] = !call.keep || call.keep[first + i] != 0;
  return neurons;
}

// A lane's sums of its neurons, over its rows or all of the block's.
template <int kCount>
struct Sums {
  float at[kSums][kCount] = {};

  __device__ __forceinline__ void Add(const Floats<kCount>& a) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      at[0][i] += a.at[i];
      at[1][i] += fabsf(a.at[i]);
      at[2][i] += a.at[i] * a.at[i];
    }
  }
};

// Adds the sums of the warps in their order: to scratch [3, neurons] of this block's rows.
template <int kCount>
__device__ __forceinline__ void WriteSums(const Sums<kCount>& sums, float* scratch, int64_t first_neuron, int64_t neurons) {
  constexpr int kColumns = kWarp * kCount;
  struct Shared {
    float at[kWarps][kSums][kColumns];
  };
  auto& shared = SharedMemory<Shared>();
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
#pragma unroll
  for (int sum = 0; sum < kSums; ++sum) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) shared.at[warp][sum][lane * kCount + i] = sums.at[sum][i];
  }
  __syncthreads();
  for (int index = threadIdx.x; index < kSums * kColumns; index += kThreads) {
    const int sum = index / kColumns, column = index % kColumns;
    if (first_neuron + column >= neurons) continue;
    float total = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) total += shared.at[w][sum][column];
    scratch[sum * neurons + first_neuron + column] = total;
  }
}

// Blocks [row blocks * parts]: neighbours read neighbouring neurons. parts: blocks for the neurons of a row.
template <typename Out, int kCount, bool kWithSums>
__global__ void __launch_bounds__(kThreads) SwigluKernel(FlabSwiglu call, unsigned parts) {
  const int64_t first_neuron = blockIdx.x % parts * kWarp * kCount, neuron = first_neuron + threadIdx.x % kWarp * kCount;
  const int64_t block = blockIdx.x / parts, first_row = block * kRows<kWithSums> + threadIdx.x / kWarp;
  Sums<kCount> sums;
  if (neuron < call.neurons) {
    const Neurons<kCount> neurons = LoadNeurons<kCount>(call, neuron);
#pragma unroll 1
    for (int i = 0; i < kRows<kWithSums>; i += kBatch * kWarps) {
      Floats<kCount> gates[kBatch], ups[kBatch];
#pragma unroll
      for (int j = 0; j < kBatch; ++j) {
        const int64_t row = first_row + i + j * kWarps;
        if (row >= call.rows) continue;
        gates[j] = LoadFloats<kCount>(call.gate_up + row * 2 * call.neurons + neuron);
        ups[j] = LoadFloats<kCount>(call.gate_up + (row * 2 + 1) * call.neurons + neuron);
      }
#pragma unroll
      for (int j = 0; j < kBatch; ++j) {
        const int64_t row = first_row + i + j * kWarps;
        if (row >= call.rows) continue;
        const Floats<kCount> a = neurons.Activations(gates[j], ups[j]);
        StoreFloats(static_cast<Out*>(call.out) + row * call.neurons + neuron, a);
        if constexpr (kWithSums) sums.Add(a);
      }
    }
  }
  if constexpr (kWithSums) WriteSums(sums, call.scratch + block * kSums * call.neurons, first_neuron, call.neurons);
}

__global__ void __launch_bounds__(kThreads) AddSumsKernel(const float* __restrict__ scratch,  // [blocks, count]
                                                          int64_t blocks, int64_t count,
                                                          double* __restrict__ sums) {  // [count]
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= count) return;
  double sum = sums[i];
#pragma unroll 8
  for (int64_t block = 0; block < blocks; ++block) sum += scratch[block * count + i];
  sums[i] = sum;
}

template <typename Out, int kCount, bool kWithSums>
int LaunchSwiglu(cudaStream_t stream, const FlabSwiglu& call) {
  const int64_t parts = CeilDivide(call.neurons, kWarp * kCount);
  const dim3 blocks{static_cast<unsigned>(parts * CeilDivide(call.rows, kRows<kWithSums>))};
  const size_t shared = kWithSums ? sizeof(float) * kWarps * kSums * kWarp * kCount : 0;
  return Launch(stream, "Swiglu", SwigluKernel<Out, kCount, kWithSums>, blocks, kThreads, shared, call, parts);
}

template <typename Out, int kCount>
int Run(cudaStream_t stream, const FlabSwiglu& call) {
  if (!call.sums) return LaunchSwiglu<Out, kCount, false>(stream, call);
  if (const int code = LaunchSwiglu<Out, kCount, true>(stream, call)) return code;
  const int64_t count = kSums * call.neurons;
  return Launch(stream, "AddSums", AddSumsKernel, dim3{static_cast<unsigned>(CeilDivide(count, kThreads))}, kThreads, 0, call.scratch,
                CeilDivide(call.rows, FLAB_SUM_ROWS), count, call.sums);
}

template <typename Out>
int Run(cudaStream_t stream, const FlabSwiglu& call) {
  const bool aligned = call.neurons % 4 == 0 && IsAligned(call.gate_up, 16) && IsAligned(call.bias, 16) && IsAligned(call.out, 4 * sizeof(Out));
  return aligned ? Run<Out, 4>(stream, call) : Run<Out, 1>(stream, call);
}

}  // namespace

int Swiglu(FlabDevice* device, const FlabSwiglu* call) {
  return call->dtype == FLAB_BF16 ? Run<Bf16>(device->compute, *call) : Run<float>(device->compute, *call);
}

}  // namespace flab::cuda
