// Rows and columns of a 7B model's bf16 matrices gathered on a GPU, and weights on their way to it.

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>

#include "base/job.h"
#include "bench/gpu.h"
#include "device/uploader.h"

namespace flab::bench {
namespace {

struct Operands {
  Operands(const Gpu& gpu, int64_t in_bytes, int64_t out_bytes, const std::vector<uint32_t>& keep)
      : places(gpu.Sent(keep.data(), static_cast<int64_t>(keep.size() * sizeof(uint32_t)))) {
    for (int64_t turn = 0; turn < kTurns; ++turn) {
      in.push_back(gpu.Filled(Dtype::kBF16, in_bytes / 2, [](int64_t i) { return Noise(i); }));
      out.push_back(gpu.Any(out_bytes));
    }
  }
  std::vector<DeviceMemory> in, out;  // kTurns of each
  DeviceMemory places;
};

std::string Size(int64_t rows, int64_t columns, int64_t keep) { return std::to_string(rows) + "x" + std::to_string(columns) + "/keep" + std::to_string(keep); }

constexpr int64_t kRepeats = 40;

Case Rows(const GpuPointer& gpu, int64_t rows, int64_t columns, int64_t keep) {
  return {.name = "gpu/slice-rows/" + Size(rows, columns, keep), .limit = Limit::kGpuCopy, .bytes = 4.0 * keep * columns, .repeats = gpu->Repeats(kRepeats),
          .prepare = [=]() -> std::function<void()> {
            auto x = std::make_shared<Operands>(*gpu, rows * columns * 2, keep * columns * 2, Keep(rows, keep));
            return Repeated(gpu->device, gpu->Repeats(kRepeats), [=](int64_t i) {
              const Device& device = *gpu->device;
              return device.backend.gather_rows(device.handle, x->in[i % kTurns].data(), columns * 2, x->places.data<uint32_t>(), keep, x->out[i % kTurns].data());
            });
          }};
}

Case Columns(const GpuPointer& gpu, int64_t rows, int64_t columns, int64_t keep) {
  return {.name = "gpu/slice-columns/" + Size(rows, columns, keep), .limit = Limit::kGpuCopy, .bytes = 4.0 * rows * keep, .repeats = gpu->Repeats(kRepeats),
          .prepare = [=]() -> std::function<void()> {
            auto x = std::make_shared<Operands>(*gpu, rows * columns * 2, rows * keep * 2, Keep(columns, keep));
            return Repeated(gpu->device, gpu->Repeats(kRepeats), [=](int64_t i) {
              const Device& device = *gpu->device;
              return device.backend.gather_columns(device.handle, x->in[i % kTurns].data(), rows, columns, 2, x->places.data<uint32_t>(), keep, x->out[i % kTurns].data());
            });
          }};
}

// A matrix in a file that has no name, in the folder for temporary files: its bytes are in the system's cache, as those of a checkpoint
// that was just read.
Tensor InFile(int64_t rows, int64_t columns) {
  const char* named = std::getenv("TMPDIR");
  std::string path = std::string(named && *named ? named : "/tmp") + "/flab-bench-XXXXXX";
  const int file = mkstemp(path.data());
  if (file < 0) throw SystemError(path, errno);
  close(file);
  std::vector<uint16_t> row(columns);
  std::ofstream stream(path, std::ios::binary);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) row[j] = ToBF16(Noise(j + i % 64 * columns));
    stream.write(reinterpret_cast<const char*>(row.data()), columns * 2);
  }
  stream.close();
  const auto mapped = MappedFile::Open(path);
  unlink(path.c_str());
  if (mapped->bytes() != rows * columns * 2) throw Error("ERR_WRITE", "expected " + std::to_string(rows * columns * 2) + " bytes, got " + std::to_string(mapped->bytes()), path);
  return {mapped->data(), Dtype::kBF16, rows, columns, mapped, "weights", mapped.get()};
}

Case Weights(const GpuPointer& gpu, int64_t rows, int64_t columns) {
  const int64_t bytes = rows * columns * 2;
  return {.name = "gpu/upload/bf16/" + std::to_string(rows) + "x" + std::to_string(columns), .limit = Limit::kGpuUpload, .bytes = 1.0 * bytes,
          .prepare = [=]() -> std::function<void()> {
            auto uploader = std::make_shared<Uploader>(gpu->device);
            auto to = std::make_shared<DeviceMemory>(gpu->Any(bytes));
            return [=, tensor = InFile(rows, columns)] {
              uploader->SendAll(Job(), Uploads({WholeUpload(tensor, Compute::kBF16, to->data())}));
              gpu->device->Check(gpu->device->backend.synchronize(gpu->device->handle, FLAB_UPLOAD), "uploading");
            };
          }};
}

}  // namespace

void AddGpuCopies(std::vector<Case>& cases, const GpuPointer& gpu) {
  const bool tiny = gpu->is_emulated;
  cases.push_back(tiny ? Rows(gpu, 924, 64, 130) : Rows(gpu, 92416, 4096, 13000));
  cases.push_back(tiny ? Columns(gpu, 40, 134, 131) : Columns(gpu, 4096, 13440, 13184));
  // As many weights as a layer has.
  cases.push_back(tiny ? Weights(gpu, 300, 64) : Weights(gpu, 49536, 4096));
}

}  // namespace flab::bench
