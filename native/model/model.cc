#include "model/model.h"

#include <algorithm>
#include <cmath>

#include "model/cpu_engine.h"

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
  PackedMatrix packed = Pack(job, model.format, std::span(tensors.begin(), tensors.size()));
  for (const Tensor* tensor : tensors) Release(*tensor);
  return packed;
}

}  // namespace

void RotationAt(const ModelSpec& spec, int64_t position, int64_t i, float* cosine, float* sine) {
  const float angle = static_cast<float>(position) * spec.inverse_frequencies[i];
  *cosine = static_cast<float>(std::cos(static_cast<double>(angle))) * spec.rotary_scale;
  *sine = static_cast<float>(std::sin(static_cast<double>(angle))) * spec.rotary_scale;
}

int64_t Texts::longest() const {
  int64_t longest = 1;
  for (int64_t i = 0; i < count(); ++i) longest = std::max(longest, length(i));
  return longest;
}

Model::Model(ModelSpec spec, Tensor embedding, Tensor final_norm, Tensor head, std::vector<LayerWeights> layers, Compute compute)
    : spec(std::move(spec)),
      embedding(std::move(embedding)),
      head(std::move(head)),
      final_norm(ToFloats(final_norm)),
      layers(std::move(layers)),
      format(ActiveKernels(), compute),
      engine_(std::make_unique<CpuEngine>(*this)) {}

Model::~Model() = default;

void Model::UseEngine(std::unique_ptr<Engine> engine) { engine_ = std::move(engine); }

PackedLayer PackLayer(const Job& job, const Model& model, int64_t index) {
  const LayerWeights& w = model.layers[index];
  return {
      .qkv = PackAll(job, model, {&w.query, &w.key, &w.value}),
      .output = PackAll(job, model, {&w.output}),
      .gate = PackAll(job, model, {&w.gate}),
      .up = PackAll(job, model, {&w.up}),
      .down = PackAll(job, model, {&w.down}),
      .input_norm = ToFloats(w.input_norm),
      .qkv_bias = StackBiases({{&w.query_bias, w.query.rows}, {&w.key_bias, w.key.rows}, {&w.value_bias, w.value.rows}}),
      .output_bias = OptionalFloats(w.output_bias),
      .query_norm = OptionalFloats(w.query_norm),
      .key_norm = OptionalFloats(w.key_norm),
      .ffn_norm = ToFloats(w.ffn_norm),
      .gate_bias = OptionalFloats(w.gate_bias),
      .up_bias = OptionalFloats(w.up_bias),
      .down_bias = OptionalFloats(w.down_bias),
  };
}

int64_t PackedLayerBytes(const Model& model) {
  int64_t most = 0;
  for (const LayerWeights& w : model.layers) {
    int64_t bytes = PackedBytes(model.format, w.query.rows + w.key.rows + w.value.rows, w.query.columns);
    for (const Tensor* tensor : {&w.output, &w.gate, &w.up, &w.down}) bytes += PackedBytes(model.format, tensor->rows, tensor->columns);
    most = std::max(most, bytes);
  }
  return most;
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
