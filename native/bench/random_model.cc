#include "bench/random_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/buffer.h"
#include "base/job.h"
#include "bench/bench.h"

namespace flab::bench {
namespace {

Tensor Weights(int64_t rows, int64_t columns) {
  auto memory = std::make_shared<Buffer<uint16_t>>(rows * columns);
  Job().Parallel(rows, [&](int64_t row) {
    for (int64_t i = row * columns; i < (row + 1) * columns; ++i) (*memory)[i] = ToBF16(0.035f * Noise(i + rows));
  });
  return {reinterpret_cast<const std::byte*>(memory->data()), Dtype::kBF16, rows, columns, memory, "weights"};
}

Tensor All(int64_t size, float value) {
  auto memory = std::make_shared<std::vector<float>>(size, value);
  return {reinterpret_cast<const std::byte*>(memory->data()), Dtype::kF32, size, 1, memory, "vector"};
}

int64_t KvWidth(const Shape& shape) { return shape.kv_heads * (shape.width / shape.query_heads); }

LayerWeights MakeLayer(const Shape& shape) {
  LayerWeights layer;
  layer.input_norm = All(shape.width, 1);
  layer.ffn_norm = All(shape.width, 1);
  layer.query = Weights(shape.width, shape.width);
  layer.key = Weights(KvWidth(shape), shape.width);
  layer.value = Weights(KvWidth(shape), shape.width);
  layer.output = Weights(shape.width, shape.width);
  layer.gate = Weights(shape.ffn_width, shape.width);
  layer.up = Weights(shape.ffn_width, shape.width);
  layer.down = Weights(shape.width, shape.ffn_width);
  if (!shape.biases) return layer;
  layer.query_bias = All(shape.width, 0.1f);
  layer.key_bias = All(KvWidth(shape), 0.1f);
  layer.value_bias = All(KvWidth(shape), 0.1f);
  return layer;
}

std::vector<LayerWeights> MakeLayers(const Shape& shape, LayerMemory memory) {
  std::vector<LayerWeights> layers;
  while (memory != LayerMemory::kNone && static_cast<int64_t>(layers.size()) < shape.layers) {
    layers.push_back(memory == LayerMemory::kOfOneForAll && !layers.empty() ? layers[0] : MakeLayer(shape));
  }
  return layers;
}

double LayerSize(const Shape& s) { return s.width * (2.0 * s.width + 2.0 * KvWidth(s) + 3.0 * s.ffn_width); }

}  // namespace

std::shared_ptr<Model> MakeModel(const Shape& shape, Compute compute, LayerMemory memory) {
  const int64_t head_width = shape.width / shape.query_heads;
  std::vector<LayerWeights> layers = MakeLayers(shape, memory);
  ModelSpec spec{.layers = static_cast<int64_t>(layers.size()), .width = shape.width, .ffn_width = shape.ffn_width, .query_heads = shape.query_heads,
                 .kv_heads = shape.kv_heads, .head_width = head_width, .vocabulary = shape.vocabulary, .norm_eps = 1e-5f, .rotary_scale = 1,
                 .inverse_frequencies = {}, .windows = std::vector<int32_t>(shape.layers)};
  for (int64_t i = 0; i < head_width / 2; ++i) spec.inverse_frequencies.push_back(static_cast<float>(std::pow(1e-4, 2.0 * i / head_width)));
  const Tensor embedding = Weights(shape.vocabulary, shape.width);
  return std::make_shared<Model>(std::move(spec), embedding, All(shape.width, 1), embedding, std::move(layers), compute);
}

SomeTexts::SomeTexts(int64_t count, int64_t length, int64_t vocabulary) : ids(count * length), offsets(count + 1) {
  const auto half = static_cast<float>(std::min<int64_t>(40000, vocabulary) / 2);
  for (int64_t i = 0; i < count * length; ++i) ids[i] = static_cast<int32_t>((Noise(i) + 1) * half);
  for (int64_t i = 0; i <= count; ++i) offsets[i] = static_cast<int32_t>(i * length);
}

ModelView Whole(const Model& model) {
  ModelView view;
  view.layers.resize(model.spec.layers);
  view.tokens.resize(model.spec.vocabulary);
  std::iota(view.layers.begin(), view.layers.end(), 0);
  std::iota(view.tokens.begin(), view.tokens.end(), 0);
  return view;
}

double ForwardFlops(const Shape& s, int64_t texts, int64_t length, int64_t head_tokens) {
  const double tokens = 1.0 * texts * length, attention = 1.0 * length * s.width;
  return 2 * tokens * s.layers * (LayerSize(s) + attention) + 2.0 * texts * head_tokens * s.width * s.vocabulary;
}

// A walk: layer i runs for the model and for the candidates before it.
double SweepFlops(const Shape& s, int64_t texts, int64_t length, int64_t head_tokens) {
  const double tokens = 1.0 * texts * length, attention = 1.0 * length * s.width, states = s.layers + 1.0;
  return tokens * s.layers * states * (LayerSize(s) + attention) + 2.0 * texts * head_tokens * states * s.width * s.vocabulary;
}

std::string AsJson(std::span<const Shape> shapes) {
  std::string json;
  for (const Shape& s : shapes) {
    json += std::string(json.empty() ? "" : ", ") + "{\"name\": \"" + s.name + "\"";
    const auto add = [&](const char* key, int64_t value) { json += std::string(", \"") + key + "\": " + std::to_string(value); };
    add("width", s.width);
    add("layers", s.layers);
    add("queryHeads", s.query_heads);
    add("kvHeads", s.kv_heads);
    add("ffnWidth", s.ffn_width);
    add("vocabulary", s.vocabulary);
    json += "}";
  }
  return "[" + json + "]";
}

}  // namespace flab::bench
