#include "bench/gpu.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/job.h"

namespace flab::bench {
namespace {

constexpr int64_t kPieceBytes = int64_t{64} << 20, kTaskItems = int64_t{1} << 16;

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return quoted + "\"";
}

}  // namespace

DeviceMemory Gpu::Filled(Dtype dtype, int64_t count, const std::function<float(int64_t)>& value) const {
  const int64_t item = ItemBytes(dtype), piece = std::min(count, kPieceBytes / item);
  DeviceMemory memory = Any(count * item);
  const PinnedMemory pinned(device, piece * item);
  for (int64_t first = 0; first < count; first += piece) {
    const int64_t size = std::min(piece, count - first);
    Job().Parallel((size + kTaskItems - 1) / kTaskItems, [&](int64_t task) {
      for (int64_t i = task * kTaskItems; i < std::min(size, (task + 1) * kTaskItems); ++i) {
        const float number = value(first + i);
        const uint16_t half = ToBF16(number);
        std::memcpy(pinned.data() + i * item, dtype == Dtype::kF32 ? static_cast<const void*>(&number) : &half, item);
      }
    });
    device->Check(device->backend.upload(device->handle, FLAB_COMPUTE, memory.data(first * item), pinned.data(), size * item), "uploading");
    device->Check(device->backend.synchronize(device->handle, FLAB_COMPUTE), "uploading");
  }
  return memory;
}

DeviceMemory Gpu::Sent(const void* bytes, int64_t count) const {
  DeviceMemory memory = Any(count);
  const PinnedMemory pinned(device, count);
  std::memcpy(pinned.data(), bytes, static_cast<size_t>(count));
  device->Check(device->backend.upload(device->handle, FLAB_COMPUTE, memory.data(), pinned.data(), count), "uploading");
  device->Check(device->backend.synchronize(device->handle, FLAB_COMPUTE), "uploading");
  return memory;
}

std::function<void()> Repeated(const std::shared_ptr<Device>& device, int64_t times, std::function<int(int64_t)> launch) {
  return [device, times, launch = std::move(launch)] {
    for (int64_t turn = 0; turn < times; ++turn) device->Check(launch(turn), "a benchmark");
    device->Check(device->backend.synchronize(device->handle, FLAB_COMPUTE), "a benchmark");
  };
}

OpenedGpu OpenGpu() {
  const char* library = std::getenv("FLAB_CUDA_LIBRARY");
  if (!library || !*library) return {nullptr, "FLAB_CUDA_LIBRARY names no library"};
  try {
    const FlabBackend& backend = OpenBackend(library);
    auto gpu = std::make_shared<Gpu>();
    gpu->device = Device::Open(backend, 0, std::getenv("FLAB_PRODUCTS"), 0);
    gpu->own_products = Device::Open(backend, 0, "", 0);
    gpu->is_emulated = std::strcmp(gpu->device->info().name, "emulated") == 0;
    return {std::move(gpu), ""};
  } catch (const Error& error) {
    return {nullptr, error.what()};
  }
}

std::string GpuAsJson(const OpenedGpu& opened) {
  if (!opened.gpu) return "{\"problem\": " + Quoted(opened.problem) + "}";
  const Device& device = *opened.gpu->device;
  const Shape shape = LargeShape(*opened.gpu);
  return "{\"name\": " + Quoted(device.info().name) + ", \"products\": " + Quoted(device.products()) + ", \"fastProducts\": " + (device.fast_products() ? "true" : "false") +
         ", \"models\": " + AsJson({&shape, 1}) + "}";
}

void AddGpu(std::vector<Case>& cases, const GpuPointer& gpu) {
  AddGpuLimits(cases, gpu);
  AddGpuCopies(cases, gpu);
  AddGpuDivergences(cases, gpu);
  AddGpuProducts(cases, gpu);
  AddGpuModels(cases, gpu);
}

}  // namespace flab::bench
