#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/device.h"
#include "base/dtype.h"
#include "bench/bench.h"
#include "bench/random_model.h"

// Benchmarks on a GPU. On the emulator shapes are tiny: what is tried there is the benchmark itself.

namespace flab::bench {

struct Gpu {
  std::shared_ptr<Device> device;        // products by what FLAB_PRODUCTS says
  std::shared_ptr<Device> own_products;  // the same GPU, products by the backend's own kernel
  bool is_emulated;

  // Memory with these values, rounded to the dtype; with these bytes; with anything.
  DeviceMemory Filled(Dtype dtype, int64_t count, const std::function<float(int64_t)>& value) const;
  DeviceMemory Sent(const void* bytes, int64_t count) const;
  DeviceMemory Any(int64_t bytes) const { return DeviceMemory(device, bytes, "a benchmark's memory"); }

  // How often an operation is repeated in a run.
  int64_t Repeats(int64_t times) const { return is_emulated ? 2 : times; }
};

// `times` calls of launch(0), launch(1), ..., each of which puts something into the compute stream, and the wait for them.
std::function<void()> Repeated(const std::shared_ptr<Device>& device, int64_t times, std::function<int(int64_t)> launch);

// Operands that are used in turns, so that none is found in the L2 cache (50 MB of an H100, 126 MB of a B200).
constexpr int64_t kTurns = 4;

// The first GPU, or why there is none.
struct OpenedGpu {
  std::shared_ptr<Gpu> gpu;
  std::string problem;
};
OpenedGpu OpenGpu();
std::string GpuAsJson(const OpenedGpu& opened);

// The shape of a model of 7 thousand million weights, CodeQwen's.
Shape LargeShape(const Gpu& gpu);

// Of the cases of KL through the LM head, and of the product that they are compared with.
constexpr int64_t kHeadCandidates = 8;
int64_t HeadTokens(const Gpu& gpu);

using GpuPointer = std::shared_ptr<Gpu>;

// out [rows, outputs] = a [rows, depth] * weights [outputs, depth]^T, on a device of the GPU.
struct ProductShape {
  int64_t rows, depth, outputs;
};
Case ProductCase(const GpuPointer& gpu, const std::string& name, const std::shared_ptr<Device>& device, Dtype dtype, const ProductShape& shape);

void AddGpu(std::vector<Case>& cases, const GpuPointer& gpu);
// Each file's cases.
void AddGpuLimits(std::vector<Case>& cases, const GpuPointer& gpu);
void AddGpuCopies(std::vector<Case>& cases, const GpuPointer& gpu);
void AddGpuDivergences(std::vector<Case>& cases, const GpuPointer& gpu);
void AddGpuProducts(std::vector<Case>& cases, const GpuPointer& gpu);
void AddGpuModels(std::vector<Case>& cases, const GpuPointer& gpu);

}  // namespace flab::bench
