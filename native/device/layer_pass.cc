#include "device/layer_pass.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace flab {
namespace {

int64_t WidestProduct(const DeviceContext& context) { return std::max(context.qkv_width(), 2 * context.model.spec.ffn_width); }

}  // namespace

LayerPass::LayerPass(DeviceContext& context, int64_t rows, int64_t last_rows, int64_t longest) : context_(context), rows_(rows) {
  const ModelSpec& spec = context.model.spec;
  const int64_t item = context.item_bytes(), half = spec.head_width / 2;
  std::vector<float> cosines(longest * half), sines(longest * half);
  for (int64_t t = 0; t < longest; ++t) {
    for (int64_t i = 0; i < half; ++i) RotationAt(spec, t, i, &cosines[t * half + i], &sines[t * half + i]);
  }
  constexpr const char* kWhat = "allocating the decoder's memory";
  cosines_ = context.Sent(cosines, kWhat);
  sines_ = context.Sent(sines, kWhat);
  normed_ = context.NewMemory<char>(rows * spec.width * item, kWhat);
  wide_ = context.NewMemory<float>(rows * WidestProduct(context), kWhat);
  qkv_ = context.NewMemory<char>(rows * context.qkv_width() * item, kWhat);
  mixed_ = context.NewMemory<char>(rows * spec.query_width() * item, kWhat);
  activations_ = context.NewMemory<char>(rows * spec.ffn_width * item, kWhat);
  last_x_ = context.NewMemory<float>(last_rows * spec.width, kWhat);
  last_mixed_ = context.NewMemory<char>(last_rows * spec.query_width() * item, kWhat);
}

int64_t LayerPass::RowBytes(const DeviceContext& context) {
  const ModelSpec& spec = context.model.spec;
  const int64_t halves = 2 * spec.width + context.qkv_width() + 2 * spec.query_width() + spec.ffn_width;
  return halves * context.item_bytes() + 4 * (WidestProduct(context) + spec.width) + 12 * spec.ffn_width / FLAB_SUM_ROWS;
}

void LayerPass::Run(const DeviceLayer& layer, int32_t window, const RowBatch& batch, float* x, bool last_only, const uint8_t* keep, double* sums) {
  const FlabBackend& backend = context_.backend();
  const int64_t row_bytes = context_.model.spec.width * 4, mixed_bytes = context_.model.spec.query_width() * context_.item_bytes();
  Mix(layer, window, batch, x, last_only);
  if (!last_only) return Finish(layer, mixed_.data(), batch.rows(), x, keep, sums);
  const int64_t count = batch.states * batch.texts;
  context_.Check(backend.gather_rows(context_.handle(), x, row_bytes, batch.last_rows, count, last_x_.data()), "gathering last rows");
  context_.Check(backend.gather_rows(context_.handle(), mixed_.data(), mixed_bytes, batch.last_rows, count, last_mixed_.data()), "gathering last rows");
  Finish(layer, last_mixed_.data(), count, last_x_.data<float>(), keep, sums);
  context_.Check(backend.scatter_rows(context_.handle(), last_x_.data(), row_bytes, batch.last_rows, count, x), "scattering last rows");
}

// Attention's result, into mixed_.
void LayerPass::Mix(const DeviceLayer& layer, int32_t window, const RowBatch& batch, const float* x, bool last_only) {
  const ModelSpec& spec = context_.model.spec;
  const FlabBackend& backend = context_.backend();
  const int64_t rows = batch.rows();
  context_.Check(backend.rms_norm(context_.handle(), x, nullptr, rows, spec.width, layer.input_norm, spec.norm_eps, normed_.data(), spec.width, context_.dtype()), "normalising");
  Multiply(normed_.data(), rows, spec.width, layer.qkv, context_.qkv_width(), wide_.data<float>(), false, "projecting queries, keys and values");
  const FlabRotate rotate{.projected = wide_.data<float>(),
                          .out = qkv_.data(),
                          .bias = layer.qkv_bias,
                          .query_norm = layer.query_norm,
                          .key_norm = layer.key_norm,
                          .positions = batch.positions,
                          .cosines = cosines_.data<float>(),
                          .sines = sines_.data<float>(),
                          .rows = rows,
                          .period = batch.state_rows,
                          .query_heads = static_cast<int32_t>(spec.query_heads),
                          .kv_heads = static_cast<int32_t>(spec.kv_heads),
                          .head_width = static_cast<int32_t>(spec.head_width),
                          .norm_eps = spec.norm_eps,
                          .dtype = context_.dtype()};
  context_.Check(backend.rotate(context_.handle(), &rotate), "rotating");
  const FlabAttention attention{.qkv = qkv_.data(),
                                .out = mixed_.data(),
                                .tiles = last_only ? batch.last_tiles : batch.tiles,
                                .tile_count = last_only ? batch.texts : batch.tile_count,
                                .states = batch.states,
                                .state_rows = batch.state_rows,
                                .query_heads = static_cast<int32_t>(spec.query_heads),
                                .kv_heads = static_cast<int32_t>(spec.kv_heads),
                                .head_width = static_cast<int32_t>(spec.head_width),
                                .window = window,
                                .scale = 1 / std::sqrt(static_cast<float>(spec.head_width)),
                                .dtype = context_.dtype()};
  context_.Check(backend.attention(context_.handle(), &attention), "attending");
}

// Output projection and FFN, added to x.
void LayerPass::Finish(const DeviceLayer& layer, const void* mixed, int64_t rows, float* x, const uint8_t* keep, double* sums) {
  const ModelSpec& spec = context_.model.spec;
  const FlabBackend& backend = context_.backend();
  if (sums && !sum_scratch_) sum_scratch_ = context_.NewMemory<float>((rows_ + FLAB_SUM_ROWS - 1) / FLAB_SUM_ROWS * 3 * spec.ffn_width, "summing activations");
  Multiply(mixed, rows, spec.query_width(), layer.output, spec.width, x, true, "projecting the attention's output");
  if (layer.output_bias) context_.Check(backend.add_bias(context_.handle(), x, layer.output_bias, rows, spec.width), "adding a bias");
  context_.Check(backend.rms_norm(context_.handle(), x, nullptr, rows, spec.width, layer.ffn_norm, spec.norm_eps, normed_.data(), spec.width, context_.dtype()), "normalising");
  Multiply(normed_.data(), rows, spec.width, layer.gate_up, 2 * spec.ffn_width, wide_.data<float>(), false, "projecting gate and up");
  const FlabSwiglu swiglu{.gate_up = wide_.data<float>(),
                          .bias = layer.gate_up_bias,
                          .keep = keep,
                          .out = activations_.data(),
                          .sums = sums,
                          .scratch = sum_scratch_.data<float>(),
                          .rows = rows,
                          .neurons = spec.ffn_width,
                          .dtype = context_.dtype()};
  context_.Check(backend.swiglu(context_.handle(), &swiglu), "activating");
  Multiply(activations_.data(), rows, spec.ffn_width, layer.down, spec.width, x, true, "projecting down");
  if (layer.down_bias) context_.Check(backend.add_bias(context_.handle(), x, layer.down_bias, rows, spec.width), "adding a bias");
}

void LayerPass::Multiply(const void* a, int64_t rows, int64_t depth, const void* weights, int64_t columns, float* out, bool accumulate, const char* what) {
  const FlabMatmul call{.a = a, .weights = weights, .out = out, .rows = rows, .columns = columns, .depth = depth, .a_stride = depth, .weights_stride = depth,
                        .out_stride = columns, .dtype = context_.dtype(), .accumulate = accumulate};
  context_.Check(context_.backend().matmul(context_.handle(), &call), what);
}

}  // namespace flab
