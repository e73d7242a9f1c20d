// Products of the decoder's shapes on a GPU: by cuBLASLt, where it is, and by the backend's own kernel.

#include <algorithm>

#include "bench/gpu.h"

namespace flab::bench {

Case ProductCase(const GpuPointer& gpu, const std::string& name, const std::shared_ptr<Device>& device, Dtype dtype, const ProductShape& shape) {
  const auto [rows, depth, outputs] = shape;
  const double flops = 2.0 * rows * depth * outputs;
  // Some 10 ms of what an H100 does, which is 20 times as fast in bf16.
  const double run_flops = dtype == Dtype::kBF16 ? 6e12 : 3e11;
  const int64_t repeats = gpu->Repeats(std::clamp<int64_t>(static_cast<int64_t>(run_flops / flops), 1, 20));
  return {.name = name,
          .limit = name.find("/limit/") != std::string::npos ? Limit::kNone : dtype == Dtype::kBF16 ? Limit::kGpuBF16 : Limit::kGpuF32,
          .flops = flops,
          .repeats = repeats,
          .prepare = [=, rows = rows, depth = depth, outputs = outputs]() -> std::function<void()> {
            struct Operands {
              DeviceMemory a, weights, out;
            };
            auto operands = std::make_shared<Operands>(Operands{gpu->Filled(dtype, rows * depth, [](int64_t i) { return Noise(i); }),
                                                                gpu->Filled(dtype, outputs * depth, [](int64_t i) { return Noise(i + 7); }), gpu->Any(4 * rows * outputs)});
            const FlabMatmul call{.a = operands->a.data(), .weights = operands->weights.data(), .out = operands->out.data<float>(), .rows = rows, .columns = outputs,
                                  .depth = depth, .a_stride = depth, .weights_stride = depth, .out_stride = outputs,
                                  .dtype = dtype == Dtype::kBF16 ? FLAB_BF16 : FLAB_F32, .accumulate = 0};
            return Repeated(device, repeats, [operands, device, call](int64_t) { return device->backend.matmul(device->handle, &call); });
          }};
}

void AddGpuProducts(std::vector<Case>& cases, const GpuPointer& gpu) {
  const Shape model = LargeShape(*gpu);
  const int64_t rows = gpu->is_emulated ? 33 : 4096, head_rows = HeadTokens(*gpu) * (1 + kHeadCandidates);
  // Gate and up, down, the LM head of what the case "kl-head" does, and f32.
  const std::pair<Dtype, ProductShape> products[] = {{Dtype::kBF16, {rows, model.width, 2 * model.ffn_width}},
                                                     {Dtype::kBF16, {rows, model.ffn_width, model.width}},
                                                     {Dtype::kBF16, {head_rows, model.width, model.vocabulary}},
                                                     {Dtype::kF32, {rows, model.width, model.width}}};
  for (const auto& [dtype, shape] : products) {
    const std::string size = std::string(dtype == Dtype::kBF16 ? "bf16/" : "f32/") + std::to_string(shape.rows) + "x" + std::to_string(shape.depth) + "x" + std::to_string(shape.outputs);
    if (gpu->device->fast_products()) cases.push_back(ProductCase(gpu, "gpu/product/" + size, gpu->device, dtype, shape));
    cases.push_back(ProductCase(gpu, "gpu/product-own/" + size, gpu->own_products, dtype, shape));
  }
}

}  // namespace flab::bench
