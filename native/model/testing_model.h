#pragma once

#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "base/testing.h"
#include "model/model.h"

// A model in memory for tests: small, nothing a multiple of anything.

namespace flab::testing_model {

// More columns than one block of the head (1,024), nothing a multiple of anything.
inline const ModelSpec kSpec{.layers = 4, .width = 18, .ffn_width = 37, .query_heads = 4, .kv_heads = 2, .head_width = 6, .vocabulary = 1061,
                      .norm_eps = 1e-5f, .rotary_scale = 1, .inverse_frequencies = {1, 0.1f, 0.01f}, .windows = {0, 5, 0, 3}};

using Values = std::vector<float>;

struct LayerValues {
  Values input_norm, query, key, value, output, query_bias, ffn_norm, gate, up, down, down_bias;
};

// A model and the memory of its weights.
struct Tiny {
  Values embedding, final_norm, head;
  std::vector<LayerValues> layers;
  ModelSpec spec = kSpec;
  Compute compute = Compute::kF32;

  std::unique_ptr<Model> Open() const {
    const auto tensor = [](const Values& values, int64_t rows, int64_t columns) {
      CHECK(static_cast<int64_t>(values.size()) == rows * columns);
      return Tensor{reinterpret_cast<const std::byte*>(values.data()), Dtype::kF32, rows, columns, nullptr, "t"};
    };
    const int64_t d = spec.width, f = spec.ffn_width, q = spec.query_width(), kv = spec.kv_width();
    std::vector<LayerWeights> weights;
    for (const LayerValues& layer : layers) {
      weights.push_back({.input_norm = tensor(layer.input_norm, d, 1), .query = tensor(layer.query, q, d), .key = tensor(layer.key, kv, d),
                         .value = tensor(layer.value, kv, d), .output = tensor(layer.output, d, q), .query_bias = tensor(layer.query_bias, q, 1),
                         .key_bias = {}, .value_bias = {}, .output_bias = {}, .query_norm = {}, .key_norm = {},
                         .ffn_norm = tensor(layer.ffn_norm, d, 1), .gate = tensor(layer.gate, f, d), .up = tensor(layer.up, f, d),
                         .down = tensor(layer.down, d, f), .gate_bias = {}, .up_bias = {}, .down_bias = tensor(layer.down_bias, d, 1)});
    }
    return std::make_unique<Model>(spec, tensor(embedding, spec.vocabulary, d), tensor(final_norm, d, 1), tensor(head, spec.vocabulary, d),
                                   std::move(weights), compute);
  }
};

inline Tiny MakeTiny(const ModelSpec& spec = kSpec) {
  testing::Random random(42);
  const int64_t d = spec.width, f = spec.ffn_width, q = spec.query_width(), kv = spec.kv_width();
  const auto matrix = [&](int64_t rows, int64_t columns) { return random.Normals(rows * columns, 1 / std::sqrt(static_cast<double>(columns))); };
  const auto norm = [&] {
    Values values = random.Normals(d, 0.1);
    for (float& value : values) value += 1;
    return values;
  };
  Tiny tiny{.embedding = random.Normals(spec.vocabulary * d), .final_norm = norm(), .head = matrix(spec.vocabulary, d), .layers = {}, .spec = spec};
  for (int64_t i = 0; i < spec.layers; ++i) {
    tiny.layers.push_back({.input_norm = norm(), .query = matrix(q, d), .key = matrix(kv, d), .value = matrix(kv, d), .output = matrix(d, q),
                           .query_bias = random.Normals(q, 0.2), .ffn_norm = norm(), .gate = matrix(f, d), .up = matrix(f, d), .down = matrix(d, f),
                           .down_bias = random.Normals(d, 0.2)});
  }
  return tiny;
}

inline const Tiny& TheTiny() {
  static const Tiny tiny = MakeTiny();
  return tiny;
}

// Texts of these lengths with random ids.
struct SomeTexts {
  explicit SomeTexts(const std::vector<int32_t>& lengths) {
    testing::Random random(7);
    for (const int32_t length : lengths) offsets.push_back(offsets.back() + length);
    for (int32_t i = 0; i < offsets.back(); ++i) ids.push_back(static_cast<int32_t>(random.Below(kSpec.vocabulary)));
  }
  Texts texts() const { return {ids, offsets}; }
  std::vector<int32_t> ids, offsets = {0};
};

inline std::vector<uint32_t> All(int64_t count) {
  std::vector<uint32_t> indices(count);
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

inline ModelView Whole() { return {All(kSpec.layers), {}, All(kSpec.vocabulary)}; }

inline bool SameBits(const std::vector<float>& a, const std::vector<float>& b) { return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * 4) == 0; }

}  // namespace flab::testing_model
