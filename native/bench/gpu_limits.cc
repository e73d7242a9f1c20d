// A GPU's own limits, measured by the backend's plainest operations: what other cases are a share of.

#include <cstring>

#include "bench/gpu.h"

namespace flab::bench {
namespace {

Case Copy(const GpuPointer& gpu, int64_t bytes) {
  return {.name = "gpu/limit/copy", .bytes = 2.0 * bytes, .repeats = gpu->Repeats(10), .prepare = [=]() -> std::function<void()> {
            auto from = std::make_shared<DeviceMemory>(gpu->Any(bytes)), to = std::make_shared<DeviceMemory>(gpu->Any(bytes));
            const Device& device = *gpu->device;
            device.Check(device.backend.clear(device.handle, from->data(), bytes), "clearing");
            return Repeated(gpu->device, gpu->Repeats(10), [=, &device](int64_t) { return device.backend.copy(device.handle, to->data(), from->data(), bytes); });
          }};
}

// Sums of squares: nothing but reading, and an arithmetic that is far from its own limit.
Case Read(const GpuPointer& gpu, int64_t rows, int64_t columns) {
  return {.name = "gpu/limit/read", .bytes = 4.0 * rows * columns, .repeats = gpu->Repeats(10), .prepare = [=]() -> std::function<void()> {
            auto matrix = std::make_shared<DeviceMemory>(gpu->Filled(Dtype::kF32, rows * columns, [](int64_t i) { return Noise(i); }));
            auto squares = std::make_shared<DeviceMemory>(gpu->Any(rows * 8));
            const Device& device = *gpu->device;
            return Repeated(gpu->device, gpu->Repeats(10), [=, &device](int64_t) {
              return device.backend.row_squares(device.handle, matrix->data(), FLAB_F32, rows, columns, squares->data<double>());
            });
          }};
}

// From pinned memory of the host.
Case Upload(const GpuPointer& gpu, int64_t bytes) {
  return {.name = "gpu/limit/upload", .bytes = 1.0 * bytes, .repeats = gpu->Repeats(4), .prepare = [=]() -> std::function<void()> {
            auto from = std::make_shared<PinnedMemory>(gpu->device, bytes);
            auto to = std::make_shared<DeviceMemory>(gpu->Any(bytes));
            std::memset(from->data(), 1, static_cast<size_t>(bytes));
            const Device& device = *gpu->device;
            return Repeated(gpu->device, gpu->Repeats(4), [=, &device](int64_t) { return device.backend.upload(device.handle, FLAB_COMPUTE, to->data(), from->data(), bytes); });
          }};
}

}  // namespace

void AddGpuLimits(std::vector<Case>& cases, const GpuPointer& gpu) {
  const bool tiny = gpu->is_emulated;
  cases.push_back(Copy(gpu, tiny ? 1 << 16 : int64_t{1} << 30));
  cases.push_back(Read(gpu, tiny ? 4 : 4096, tiny ? 4096 : 65536));
  cases.push_back(Upload(gpu, tiny ? 1 << 16 : int64_t{512} << 20));
  cases.push_back(ProductCase(gpu, "gpu/limit/bf16", gpu->device, Dtype::kBF16, tiny ? ProductShape{64, 64, 64} : ProductShape{8192, 8192, 8192}));
  cases.push_back(ProductCase(gpu, "gpu/limit/f32", gpu->device, Dtype::kF32, tiny ? ProductShape{64, 64, 64} : ProductShape{4096, 4096, 4096}));
}

}  // namespace flab::bench
