// Whole models with random weights: KL through the LM head, forward passes, sweeps of the layer search.

#include <cmath>
#include <memory>
#include <numeric>

#include "bench/bench.h"
#include "model/decoder.h"
#include "prune/layer_scores.h"
#include "prune/measure.h"
#include "prune/neuron_scores.h"

namespace flab::bench {
namespace {

struct Shape {
  const char* name;
  int64_t width, layers, query_heads, kv_heads, ffn_width, vocabulary;
};

constexpr Shape kShapes[] = {{"smol-135m", 576, 30, 9, 3, 1536, 49152}, {"codeqwen-mini", 1024, 8, 8, 1, 3328, 92416}};

// bf16 weights of a deviation of 0.02.
Tensor Weights(int64_t rows, int64_t columns) {
  auto memory = std::make_shared<Buffer<uint16_t>>(rows * columns);
  for (int64_t i = 0; i < rows * columns; ++i) (*memory)[i] = ToBF16(0.035f * Noise(i + rows));
  return {reinterpret_cast<const std::byte*>(memory->data()), Dtype::kBF16, rows, columns, memory, "weights"};
}

Tensor Ones(int64_t size) {
  auto memory = std::make_shared<std::vector<float>>(size, 1.f);
  return {reinterpret_cast<const std::byte*>(memory->data()), Dtype::kF32, size, 1, memory, "ones"};
}

std::shared_ptr<Model> MakeModel(const Shape& shape, Compute compute, bool with_layers = true) {
  const int64_t head_width = shape.width / shape.query_heads;
  ModelSpec spec{.layers = with_layers ? shape.layers : 0, .width = shape.width, .ffn_width = shape.ffn_width, .query_heads = shape.query_heads,
                 .kv_heads = shape.kv_heads, .head_width = head_width, .vocabulary = shape.vocabulary, .norm_eps = 1e-5f, .rotary_scale = 1,
                 .inverse_frequencies = {}, .windows = std::vector<int32_t>(shape.layers)};
  for (int64_t i = 0; i < head_width / 2; ++i) spec.inverse_frequencies.push_back(static_cast<float>(std::pow(1e-4, 2.0 * i / head_width)));
  std::vector<LayerWeights> layers(spec.layers);
  for (LayerWeights& layer : layers) {
    layer.input_norm = Ones(shape.width);
    layer.ffn_norm = Ones(shape.width);
    layer.query = Weights(shape.width, shape.width);
    layer.key = Weights(shape.kv_heads * head_width, shape.width);
    layer.value = Weights(shape.kv_heads * head_width, shape.width);
    layer.output = Weights(shape.width, shape.width);
    layer.gate = Weights(shape.ffn_width, shape.width);
    layer.up = Weights(shape.ffn_width, shape.width);
    layer.down = Weights(shape.width, shape.ffn_width);
  }
  const Tensor embedding = Weights(shape.vocabulary, shape.width);
  return std::make_shared<Model>(std::move(spec), embedding, Ones(shape.width), embedding, std::move(layers), compute);
}

// Texts of equal length.
struct SomeTexts {
  SomeTexts(int64_t count, int64_t length) : ids(count * length), offsets(count + 1) {
    for (int64_t i = 0; i < count * length; ++i) ids[i] = static_cast<int32_t>((Noise(i) + 1) * 20000);
    for (int64_t i = 0; i <= count; ++i) offsets[i] = static_cast<int32_t>(i * length);
  }
  std::vector<int32_t> ids, offsets;
  Texts texts() const { return {ids, offsets}; }
};

ModelView Whole(const Model& model) {
  ModelView view;
  view.layers.resize(model.spec.layers);
  view.tokens.resize(model.spec.vocabulary);
  std::iota(view.layers.begin(), view.layers.end(), 0);
  std::iota(view.tokens.begin(), view.tokens.end(), 0);
  return view;
}

double LayerWeightsOf(const Shape& s) {
  const double head_width = static_cast<double>(s.width) / s.query_heads;
  return s.width * (2.0 * s.width + 2 * s.kv_heads * head_width + 3.0 * s.ffn_width);
}

void AddHeads(std::vector<Case>& cases) {
  constexpr Shape kHeads[] = {{"", 576, 0, 9, 3, 32, 49152}, {"", 1024, 0, 8, 1, 32, 92416}};
  constexpr int64_t kTokens = 256, kCandidates = 8;
  for (const Shape& shape : kHeads) {
    cases.push_back({.name = "kl-head/bf16/" + std::to_string(shape.width) + "x" + std::to_string(shape.vocabulary) + "/256 tokens/8 candidates",
                     .limit = Limit::kBF16,
                     .flops = 2.0 * (kCandidates + 1) * kTokens * shape.width * shape.vocabulary,
                     .prepare = [=]() -> std::function<void()> {
                       auto model = MakeModel(shape, Compute::kBF16, false);
                       auto hidden = std::make_shared<std::vector<float>>(kTokens * (1 + kCandidates) * shape.width);
                       for (size_t i = 0; i < hidden->size(); ++i) {
                         const size_t token = i / (shape.width * (1 + kCandidates));
                         (*hidden)[i] = 1.7f * Noise(token * shape.width + i % shape.width) + 0.17f * Noise(~i);
                       }
                       auto view = std::make_shared<ModelView>(Whole(*model));
                       auto positions = std::make_shared<std::vector<Position>>();
                       for (int64_t i = 0; i < kTokens; ++i) positions->push_back({i, true, -1});
                       return [=] {
                         HeadSums sums(kCandidates);
                         AddHead(Job(), *model, view->tokens, *positions, hidden->data(), sums);
                       };
                     }});
  }
}

void AddForwards(std::vector<Case>& cases) {
  constexpr int64_t kTexts = 8, kLength = 512;
  for (const Shape& shape : kShapes) {
    for (const auto kind : {PositionKind::kAll, PositionKind::kLast}) {
      const double tokens = kTexts * kLength, head = 1.0 * shape.vocabulary * shape.width;
      const double head_tokens = kind == PositionKind::kAll ? tokens : kTexts;
      cases.push_back({.name = std::string("forward/bf16/") + shape.name + "/8x512/" + (kind == PositionKind::kAll ? "all" : "last") + " logits",
                       .limit = Limit::kBF16,
                       .flops = 2 * tokens * shape.layers * LayerWeightsOf(shape) + 2.0 * kTexts * kLength * kLength * shape.width * shape.layers + 2 * head_tokens * head,
                       .tokens = tokens,
                       .prepare = [=, shape = shape]() -> std::function<void()> {
                         auto model = MakeModel(shape, Compute::kBF16);
                         auto texts = std::make_shared<SomeTexts>(kTexts, kLength);
                         auto view = std::make_shared<ModelView>(Whole(*model));
                         return [=] {
                           Job job;
                           Logits(job, *model, *view, texts->texts(), kind);
                         };
                       }});
    }
    // What the next one is compared with: all layers for all tokens, and no logits.
    cases.push_back({.name = std::string("forward/bf16/") + shape.name + "/8x512/states",
                     .limit = Limit::kBF16,
                     .flops = 2.0 * kTexts * kLength * shape.layers * LayerWeightsOf(shape) + 2.0 * kTexts * kLength * kLength * shape.width * shape.layers,
                     .tokens = 1.0 * kTexts * kLength,
                     .prepare = [=, shape = shape]() -> std::function<void()> {
                       auto model = MakeModel(shape, Compute::kBF16);
                       auto texts = std::make_shared<SomeTexts>(kTexts, kLength);
                       return [=] {
                         Job job;
                         Decoder decoder(job, *model, texts->texts());
                         Buffer<float> x(kTexts * kLength * shape.width);
                         decoder.Embed(x.data());
                         for (int64_t i = 0; i < shape.layers; ++i) decoder.RunLayer(i, x.data(), 1);
                       };
                     }});
    cases.push_back({.name = std::string("neurons-in-forward/bf16/") + shape.name + "/8x512",
                     .tokens = 1.0 * kTexts * kLength,
                     .prepare = [=, shape = shape]() -> std::function<void()> {
                       auto model = MakeModel(shape, Compute::kBF16);
                       auto texts = std::make_shared<SomeTexts>(kTexts, kLength);
                       auto view = std::make_shared<ModelView>(Whole(*model));
                       return [=] {
                         Job job;
                         RankNeurons(job, *model, *view, texts->texts(), {NeuronMetric::kWanda});
                       };
                     }});
  }
}

void AddSweeps(std::vector<Case>& cases) {
  constexpr int64_t kTexts = 64, kLength = 256;
  for (const Shape& shape : kShapes) {
    for (const auto kind : {PositionKind::kLast, PositionKind::kAll}) {
      cases.push_back({.name = std::string("sweep/bf16/") + shape.name + "/64x256/" + (kind == PositionKind::kAll ? "all" : "last") + " positions",
                       .limit = Limit::kBF16,
                       .flops = 1.0 * kTexts * kLength * shape.layers * (shape.layers + 1) * (LayerWeightsOf(shape) + 1.0 * kLength * shape.width) +
                                2.0 * kTexts * (kind == PositionKind::kAll ? kLength : 1) * (shape.layers + 1) * shape.width * shape.vocabulary,
                       .tokens = 1.0 * kTexts * kLength,
                       .prepare = [=, shape = shape]() -> std::function<void()> {
                         auto model = MakeModel(shape, Compute::kBF16);
                         auto texts = std::make_shared<SomeTexts>(kTexts, kLength);
                         auto view = std::make_shared<ModelView>(Whole(*model));
                         return [=] {
                           Job job;
                           ScoreLayers(job, *model, *view, texts->texts(), {.positions = kind});
                         };
                       }});
    }
  }
}

}  // namespace

void AddModels(std::vector<Case>& cases) {
  AddHeads(cases);
  AddForwards(cases);
  AddSweeps(cases);
}

std::string ModelsAsJson() {
  std::string json;
  for (const Shape& s : kShapes) {
    json += std::string(json.empty() ? "[" : ", ") + "{\"name\": \"" + s.name + "\"";
    const auto add = [&](const char* key, int64_t value) { json += std::string(", \"") + key + "\": " + std::to_string(value); };
    add("width", s.width);
    add("layers", s.layers);
    add("queryHeads", s.query_heads);
    add("kvHeads", s.kv_heads);
    add("ffnWidth", s.ffn_width);
    add("vocabulary", s.vocabulary);
    json += "}";
  }
  return json + "]";
}

}  // namespace flab::bench
