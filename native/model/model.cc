#include "model/model.h"

namespace flab {
namespace {

// The biases of stacked products one after the other; empty where none has one.
std::vector<float> StackBiases(std::initializer_list<std::pair<const Tensor*, int64_t>> parts) {
  std::vector<float> stacked;
  bool any = false;
  for (const auto& [bias, size] : parts) {
    if (*bias) {
      const std::vector<float> values = ToFloats(*bias);
      stacked.insert(stacked.end(), values.begin(), values.end());
      any = true;
    } else {
      stacked.insert(stacked.end(), size, 0.f);
    }
  }
  if (!any) stacked.clear();
  return stacked;
}

std::vector<float> OptionalFloats(const Tensor& tensor) { return tensor ? ToFloats(tensor) : std::vector<float>(); }

PackedMatrix PackAll(const Job& job, const Model& model, std::initializer_list<const Tensor*> tensors) {
  return Pack(job, model.kernels, model.compute, std::span(tensors.begin(), tensors.size()));
}

}  // namespace

Model::Model(ModelSpec spec, Tensor embedding, Tensor final_norm, Tensor head, std::vector<LayerWeights> layers, Compute compute,
             int64_t cache_bytes)
    : spec(std::move(spec)),
      embedding(std::move(embedding)),
      head(std::move(head)),
      final_norm(ToFloats(final_norm)),
      layers(std::move(layers)),
      compute(compute),
      kernels(ActiveKernels()),
      cache_bytes_(cache_bytes),
      cache_(this->layers.size()) {}

std::shared_ptr<const PackedLayer> Model::Layer(const Job& job, int64_t index) {
  if (cache_[index]) return cache_[index];
  const LayerWeights& w = layers[index];
  auto layer = std::make_shared<const PackedLayer>(PackedLayer{
      .qkv = PackAll(job, *this, {&w.query, &w.key, &w.value}),
      .output = PackAll(job, *this, {&w.output}),
      .gate_up = PackAll(job, *this, {&w.gate, &w.up}),
      .down = PackAll(job, *this, {&w.down}),
      .input_norm = ToFloats(w.input_norm),
      .qkv_bias = StackBiases({{&w.query_bias, w.query.rows}, {&w.key_bias, w.key.rows}, {&w.value_bias, w.value.rows}}),
      .output_bias = OptionalFloats(w.output_bias),
      .query_norm = OptionalFloats(w.query_norm),
      .key_norm = OptionalFloats(w.key_norm),
      .ffn_norm = ToFloats(w.ffn_norm),
      .gate_up_bias = StackBiases({{&w.gate_bias, w.gate.rows}, {&w.up_bias, w.up.rows}}),
      .down_bias = OptionalFloats(w.down_bias),
  });
  if (cached_bytes_ + layer->bytes() <= cache_bytes_) {
    cached_bytes_ += layer->bytes();
    cache_[index] = layer;
  }
  return layer;
}

std::vector<Texts> Chunks(const Texts& texts, int64_t max_tokens) {
  std::vector<Texts> chunks;
  for (int64_t first = 0; first < texts.count();) {
    int64_t end = first + 1;
    while (end < texts.count() && texts.offsets[end + 1] - texts.offsets[first] <= max_tokens) ++end;
    chunks.push_back({texts.ids, texts.offsets.subspan(first, end - first + 1)});
    first = end;
  }
  return chunks;
}

}  // namespace flab
